import { TabbedPage } from '../components/tabbed-page.tsx'
import { useText } from '../i18n/language.tsx'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { ApprovalRulesTab } from './approval-rules-tab.tsx'
import { FreezesTab } from './freezes-tab.tsx'
import { HookTargetsTab } from './hook-targets-tab.tsx'
import { PrometheusTab } from './prometheus-tab.tsx'
import { SubscriptionsTab } from './subscriptions-tab.tsx'

const tabs = {
  freezes: FreezesTab,
  approvals: ApprovalRulesTab,
  hooks: HookTargetsTab,
  prometheus: PrometheusTab,
  subscriptions: SubscriptionsTab,
} as const
type Tab = keyof typeof tabs

const isTab = (text: string): text is Tab => Object.hasOwn(tabs, text)

/** What holds for the whole cluster and belongs to no app, node or address. */
export default function SettingsPage({ tab = 'freezes' }: { readonly tab?: string | undefined }) {
  const { clusterSettings: text } = useText()
  if (!isTab(tab)) return <NotFoundPage />
  return <TabbedPage at="/settings" title={text.title} about={text.about} labels={text.tabs} tabs={tabs} tab={tab} />
}
