import type { TabLink } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'

/** Views of what comes in by the gateway. */
export function useRouteTabs(): readonly TabLink[] {
  const { routeTabs: text } = useText()
  return [
    { label: text.routes, to: '/routes', exact: true },
    { label: text.topology, to: '/routes/topology' },
    { label: text.maintenance, to: '/routes/maintenance' },
  ]
}
