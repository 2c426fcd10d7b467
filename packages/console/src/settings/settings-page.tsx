import { Page } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { FreezesTab } from './freezes-tab.tsx'
import { PrometheusTab } from './prometheus-tab.tsx'
import { SubscriptionsTab } from './subscriptions-tab.tsx'

const tabs = { freezes: FreezesTab, prometheus: PrometheusTab, subscriptions: SubscriptionsTab } as const
type Tab = keyof typeof tabs

const isTab = (text: string): text is Tab => Object.hasOwn(tabs, text)

/** What holds for the whole cluster and belongs to no app, node or address. */
export default function SettingsPage({ tab = 'freezes' }: { readonly tab?: string | undefined }) {
  const { clusterSettings: text } = useText()
  if (!isTab(tab)) return <NotFoundPage />
  const Shown = tabs[tab]
  return (
    <Page
      title={text.title}
      about={text.about[tab]}
      tabs={Object.keys(tabs).map((each) => ({
        label: text.tabs[each as Tab],
        to: each === 'freezes' ? '/settings' : `/settings/${each}`,
        exact: each === 'freezes',
      }))}
    >
      <Shown />
    </Page>
  )
}
