import type { FlowGroupEnd, NetEnd } from '@berth/api/net-resources'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

/** One end of connections that are counted together, with the way to it. */
export function GroupEnd({ end: { kind, name } }: { readonly end: FlowGroupEnd }) {
  const { network: text } = useText()
  if (kind === 'outside') return <span className="muted">{text.outside}</span>
  if (kind === 'external') return <code>{name}</code>
  if (kind === 'node') return <Link to={path('nodes', name)}>{name}</Link>
  const [app = '', pool = '', entrypoint = ''] = name.split('/')
  return <Link to={path('apps', app, pool, 'entrypoints', entrypoint)}>{name}</Link>
}

export function EndName({ end: { kind, name } }: { readonly end: NetEnd }) {
  if (kind === 'instance') return <Link to={path('instances', name)}>{name}</Link>
  if (kind === 'node') return <Link to={path('nodes', name)}>{name}</Link>
  return <code>{name}</code>
}

export const portText = ({
  protocol,
  port,
}: {
  readonly protocol: string
  readonly port?: number | undefined
}): string => (port === undefined ? protocol : `${protocol}:${port}`)
