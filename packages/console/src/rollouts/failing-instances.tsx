import type { InstanceView } from '@berth/api/instance-resources'
import { useCallback } from 'react'
import { Section } from '../components/layout.tsx'
import { LogTail, NodeLink, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { diagnose, plainMessage } from '../live/diagnosis.ts'
import { instanceState } from '../live/states.ts'
import { type OpenLines, useLines } from '../output/use-lines.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'
import { rolloutWords } from './rollout-words.ts'

const mostShown = 3
const lines = 10

/** What an instance that does not get on printed last, while it happens. */
export function FailingInstances({ instances }: { readonly instances: readonly InstanceView[] }) {
  const words = rolloutWords(useLanguage().language)
  const failing = instances.filter((each) => each.phase !== 'ended' && diagnose(each) !== undefined)
  if (failing.length === 0) return null
  return (
    <Section title={`${words.failing} · ${failing.length}`}>
      <ul className="failing">
        {failing.slice(0, mostShown).map((each) => (
          <li key={each.id}>
            <Failing instance={each} />
          </li>
        ))}
        {failing.slice(mostShown).map((each) => (
          <li key={each.id}>
            <Link to={path('instances', each.id)}>{each.name}</Link>
          </li>
        ))}
      </ul>
    </Section>
  )
}

function Failing({ instance }: { readonly instance: InstanceView }) {
  const words = rolloutWords(useLanguage().language)
  const client = useClient()
  const { id, app, node, release } = instance
  const open = useCallback<OpenLines>(
    (since, signal) => {
      const from = since === undefined ? { tail: String(lines) } : { sinceMs: String(since) }
      return client.lines('getLogs', { query: { instance: id, follow: 'true', ...from } }, { signal })
    },
    [client, id],
  )
  const recent = useLines(open)
    .lines.slice(-lines)
    .map(({ line }) => line)
  const shown = recent.length > 0 ? recent : (instance.logTail ?? [])
  const message = plainMessage(instance)
  return (
    <>
      <p className="failing-head">
        <Link to={path('instances', id)}>
          <strong>{instance.name}</strong>
        </Link>
        <Status shown={instanceState(instance)} />
        <ReleaseLink app={app} release={release} />
        <NodeLink node={node} />
        <Link to={path('instances', id, 'logs')} className="button button-plain button-small push-right">
          {words.logs}
        </Link>
      </p>
      {message !== undefined && <p className="failing-why">{message}</p>}
      {shown.length > 0 && <LogTail lines={shown} />}
    </>
  )
}
