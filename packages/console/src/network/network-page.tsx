import { TabbedPage } from '../components/tabbed-page.tsx'
import { useText } from '../i18n/language.tsx'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { AddressesTab } from './addresses-tab.tsx'
import { DomainsTab } from './domains-tab.tsx'
import { DropsTab } from './drops-tab.tsx'
import { ExternalsTab } from './externals-tab.tsx'
import { FailoverTab } from './failover-tab.tsx'
import { FlowsTab } from './flows-tab.tsx'
import { LansTab } from './lans-tab.tsx'
import { MatrixTab } from './matrix-tab.tsx'
import { NodeRoutesTab } from './node-routes-tab.tsx'
import { ProfilePage } from './profile-page.tsx'
import { ProfilesTab } from './profiles-tab.tsx'
import '../styles/network.css'

const tabs = {
  matrix: MatrixTab,
  flows: FlowsTab,
  drops: DropsTab,
  profiles: ProfilesTab,
  services: ExternalsTab,
  domains: DomainsTab,
  nodes: NodeRoutesTab,
  lans: LansTab,
  failover: FailoverTab,
  addresses: AddressesTab,
} as const
type Tab = keyof typeof tabs

const isTab = (text: string): text is Tab => Object.hasOwn(tabs, text)

/** Who may talk to whom, who does, and by which ways. */
export default function NetworkPage({
  tab = 'matrix',
  name,
}: {
  readonly tab?: string | undefined
  readonly name?: string | undefined
}) {
  const { network: text } = useText()
  if (!isTab(tab) || (name !== undefined && tab !== 'profiles')) return <NotFoundPage />
  if (name !== undefined) return <ProfilePage name={name} />
  return <TabbedPage at="/network" title={text.title} about={text.about} labels={text.tabs} tabs={tabs} tab={tab} />
}
