import type { InstanceView } from '@berth/api/instance-resources'
import { type ReactNode, useCallback } from 'react'
import { Age, Took } from '../components/age.tsx'
import { Facts, Section } from '../components/layout.tsx'
import { By, Code, LogTail, NodeLink, ReleaseLink } from '../components/small.tsx'
import { Mark, Meter } from '../components/status.tsx'
import { formatBytes, formatCores, sizeText } from '../format/quantities.ts'
import { formatTime } from '../format/times.ts'
import { joinWords } from '../format/words.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { diagnose } from '../live/diagnosis.ts'
import type { Tone } from '../live/states.ts'
import { type Usage, useUsage } from '../metrics/use-usage.ts'
import { type OpenLines, useLines } from '../output/use-lines.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'
import { AttachedNetworks, useAttachedNetworks } from './attached-networks.tsx'
import { DiagnosisBanner } from './diagnosis-banner.tsx'
import { EventList } from './event-list.tsx'
import { NetworkRates } from './network-rates.tsx'
import { PublishedPorts, usePublishedPorts } from './published-ports.tsx'

export function InstanceOverview({ instance }: { readonly instance: InstanceView }) {
  const text = useText()
  const diagnosis = diagnose(instance)
  const usage = useUsage({ instance: instance.id }).get(instance.id)
  const toldAlready = instance.phase === 'ended' && diagnosis !== undefined && (instance.logTail?.length ?? 0) > 0
  return (
    <>
      {diagnosis !== undefined && <DiagnosisBanner instance={instance} diagnosis={diagnosis} />}
      <div className="halves">
        <Section title={text.instance.runs}>
          <InstanceFacts instance={instance} usage={usage} />
          {instance.phase === 'running' && <UsageMeters instance={instance} usage={usage} />}
        </Section>
        <Section title={text.instance.life}>
          <Life instance={instance} />
        </Section>
      </div>
      {!toldAlready && <RecentOutput key={instance.id} instance={instance} />}
      <EventList
        title={text.app.events}
        input={{ query: { app: instance.app, limit: 200 } }}
        matches={({ subject }) => subject.instance === instance.id}
        brief
      />
    </>
  )
}

function InstanceFacts({ instance, usage }: { readonly instance: InstanceView; readonly usage: Usage | undefined }) {
  const { instance: text, pool, jobs, resize, bandwidth, publish, attach } = useText()
  const hasPorts = usePublishedPorts(instance)
  const hasNetworks = useAttachedNetworks(instance)
  const { containerId, command, stopReason } = instance
  return (
    <Facts
      facts={[
        [text.release, <ReleaseLink key="r" app={instance.app} release={instance.release} />],
        [jobs.command, command === undefined ? undefined : <code key="co">{joinWords(command)}</code>],
        [text.node, <NodeLink key="n" node={instance.node} />],
        [text.address, copyable(instance.address)],
        ['IPv6', copyable(instance.address6)],
        [text.ownNetwork, instance.network === undefined ? undefined : <code key="on">{instance.network}</code>],
        [
          text.traffic,
          instance.type === 'service' && (
            <span key="t" className="status">
              <Mark tone={instance.inTraffic ? 'ok' : 'off'} />
              {instance.inTraffic ? pool.inTraffic : pool.outOfTraffic}
            </span>
          ),
        ],
        [bandwidth.network, <NetworkRates key="nr" instance={instance} usage={usage} />],
        [publish.fact, hasPorts && <PublishedPorts key="p" instance={instance} />],
        [attach.fact, hasNetworks && <AttachedNetworks key="an" instance={instance} />],
        [text.cores, instance.cores === undefined ? undefined : <code key="cs">{instance.cores}</code>],
        [resize.granted, instance.granted !== undefined && sizeText(instance.granted)],
        ['ID', copyable(instance.id)],
        [text.container, copyable(containerId, 12)],
        [text.stopReason, stopReason],
      ]}
    />
  )
}

const copyable = (value: string | undefined, short?: number): ReactNode =>
  value === undefined ? undefined : (
    <Code copy {...(short === undefined ? {} : { short })}>
      {value}
    </Code>
  )

function UsageMeters({ instance, usage }: { readonly instance: InstanceView; readonly usage: Usage | undefined }) {
  const { instance: text, units, nodes } = useText()
  const cpuMilli = usage?.cpuLimitMilli || instance.cpuMilli || 0
  const memoryBytes = usage?.memoryLimitBytes || instance.memoryBytes || 0
  const used = Math.round((usage?.cpuMilli ?? 0) / 10) * 10
  const cores = units.core(cpuMilli / 1000, formatCores(cpuMilli))
  return (
    <dl className="meters">
      <div>
        <dt>{text.cpu}</dt>
        <dd>
          <Meter value={used} max={cpuMilli} label={nodes.used(usage ? formatCores(used) : '–', cores)} />
        </dd>
      </div>
      <div>
        <dt>{text.memory}</dt>
        <dd>
          <Meter
            value={usage?.memoryBytes ?? 0}
            max={memoryBytes}
            label={nodes.used(usage ? formatBytes(usage.memoryBytes) : '–', formatBytes(memoryBytes))}
          />
        </dd>
      </div>
    </dl>
  )
}

interface Step {
  readonly name: string
  readonly at: number | undefined
  readonly tone: Tone
  readonly note?: ReactNode
}

/** What it has been through, and what it waits for. */
function Life({ instance }: { readonly instance: InstanceView }) {
  const { instance: text, units } = useText()
  const { createdAt, createdBy, startedAt, readyAt, endedAt, restarts, lastExit, node, phase, type } = instance
  const steps: readonly Step[] = [
    { name: text.created, at: createdAt, tone: 'ok', note: <By who={createdBy} /> },
    {
      name: text.placed,
      at: undefined,
      tone: node === undefined ? 'busy' : 'ok',
      note: node === undefined ? text.waitsForPlace : <Link to={path('nodes', node)}>{node}</Link>,
    },
    ...(restarts > 0
      ? [
          {
            name: units.restarts(restarts),
            at: lastExit?.at,
            tone: instance.ready ? ('warn' as const) : ('bad' as const),
            note: exitText(text, instance),
          },
        ]
      : []),
    { name: text.started, at: startedAt, tone: startedAt === undefined ? 'off' : 'ok' },
    ...(type === 'service' && phase !== 'ended'
      ? [
          {
            name: instance.ready ? text.readyStep : text.notReadyStep,
            at: instance.ready ? readyAt : undefined,
            tone: instance.ready ? ('ok' as const) : startedAt === undefined ? ('off' as const) : ('busy' as const),
          },
        ]
      : []),
    ...(phase === 'ended' || type === 'job'
      ? [
          {
            name: phase === 'ended' ? text.ended : text.goesOn,
            at: endedAt,
            tone: endTone(instance),
            note: startedAt !== undefined && (
              <>
                <Took from={startedAt} to={endedAt} />
                {phase === 'ended' && ` · ${exitText(text, instance) ?? ''}`}
              </>
            ),
          },
        ]
      : []),
  ]
  return (
    <ol className="life">
      {steps.map((step) => (
        <LifeStep key={step.name} step={step} />
      ))}
    </ol>
  )
}

function endTone({ phase, lastExit }: InstanceView): Tone {
  if (phase !== 'ended') return 'busy'
  return lastExit?.code === 0 ? 'ok' : 'bad'
}

function LifeStep({ step: { name, at, tone, note } }: { readonly step: Step }) {
  const { language } = useLanguage()
  return (
    <li className={`life-step life-${tone}`}>
      <Mark tone={tone} />
      <span>
        {name}
        {note !== undefined && note !== false && <span className="muted"> · {note}</span>}
      </span>
      {at !== undefined && (
        <span className="muted" title={formatTime(at, language)}>
          <Age at={at} />
        </span>
      )}
    </li>
  )
}

const recentLines = 12

/** The end of its output, live, so that most looks need no other page. */
function RecentOutput({ instance }: { readonly instance: InstanceView }) {
  const text = useText()
  const client = useClient()
  const { id } = instance
  const open = useCallback<OpenLines>(
    (since, signal) => {
      const from = since === undefined ? { tail: String(recentLines) } : { sinceMs: String(since) }
      return client.lines('getLogs', { query: { instance: id, follow: 'true', ...from } }, { signal })
    },
    [client, id],
  )
  const { lines, state } = useLines(open)
  const recent = lines.slice(-recentLines).map(({ line }) => line)
  const known = recent.length > 0 ? recent : (instance.logTail ?? [])
  return (
    <Section
      title={text.instance.recent}
      flush
      aside={
        <Link to={path('instances', id, 'logs')} className="button button-plain button-small">
          {text.instance.allLines}
        </Link>
      }
    >
      {known.length > 0 ? (
        <LogTail lines={known} />
      ) : (
        <p className="quiet-line">{state === 'loading' ? text.common.loading : text.logs.empty}</p>
      )}
    </Section>
  )
}

export function exitText(
  text: ReturnType<typeof useText>['instance'],
  { lastExit }: Pick<InstanceView, 'lastExit'>,
): string | undefined {
  if (lastExit === undefined) return undefined
  const parts = [
    text.exit(lastExit.code),
    lastExit.signal && text.signal(lastExit.signal),
    lastExit.outOfMemory && text.outOfMemory,
  ]
  return parts.filter(Boolean).join(', ')
}
