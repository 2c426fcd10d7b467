import type { InstanceView } from '@berth/api/resources'
import { lazy, Suspense } from 'react'
import { RestartInstanceButton, StopInstanceButton } from '../actions/instance-buttons.tsx'
import { Age } from '../components/age.tsx'
import { Empty, Facts, Page, Section } from '../components/layout.tsx'
import { Code, LogTail, NodeLink, ReleaseLink } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useOne } from '../live/use-one.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { InstanceStatus } from './instance-table.tsx'
import { MetricsPanel } from './metrics-panel.tsx'
import { NotFoundPage } from './not-found-page.tsx'

const LogsPanel = lazy(() => import('./logs-panel.tsx'))
const TerminalPanel = lazy(() => import('./terminal-panel.tsx'))

export function InstancePage({ id, tab = '' }: { readonly id: string; readonly tab?: string | undefined }) {
  const text = useText()
  const first = useOne('getInstance', { params: { id } })
  const query = first.value && { app: first.value.app, pool: first.value.pool, all: 'true' }
  const live = useList('listInstances', query && { query })
  const instance = live.items.find((each) => each.id === id) ?? first.value
  if (instance === undefined)
    return first.error === undefined ? (
      <Skeleton />
    ) : (
      <NotFoundPage title={text.instance.missing} hint={text.instance.missingHint} />
    )
  const { app, pool, entrypoint } = instance
  const at = (part: string) => path('instances', id, part)
  return (
    <Page
      title={instance.name}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: app, to: path('apps', app) },
        { label: pool, to: path('apps', app, pool) },
        { label: entrypoint, to: path('apps', app, pool, 'entrypoints', entrypoint) },
      ]}
      status={<InstanceStatus instance={instance} />}
      actions={
        instance.phase !== 'ended' && (
          <>
            <StopInstanceButton instance={instance} />
            <RestartInstanceButton instance={instance} />
          </>
        )
      }
      tabs={[
        { label: text.instance.overview, to: path('instances', id), exact: true },
        { label: text.instance.logs, to: at('logs') },
        { label: text.instance.terminal, to: at('terminal') },
        { label: text.instance.metrics, to: at('metrics') },
      ]}
    >
      <Suspense fallback={<Skeleton />}>
        <InstanceTab instance={instance} tab={tab} />
      </Suspense>
    </Page>
  )
}

function InstanceTab({ instance, tab }: { readonly instance: InstanceView; readonly tab: string }) {
  const text = useText()
  const may = useMay('deployer')
  if (tab === '') return <InstanceOverview instance={instance} />
  if (tab === 'logs') return <LogsPanel query={{ instance: instance.id }} />
  if (tab === 'metrics') return <MetricsPanel query={{ instance: instance.id }} nameOf={() => instance.name} />
  if (tab !== 'terminal') return <NotFoundPage />
  if (!may) return <Empty icon="key" title={text.terminal.forbidden} />
  if (instance.phase !== 'running') return <Empty icon="box" title={text.instance.ended_terminal} />
  return <TerminalPanel instance={instance.id} />
}

function InstanceOverview({ instance }: { readonly instance: InstanceView }) {
  const text = useText()
  return (
    <>
      <Section>
        <InstanceFacts instance={instance} />
      </Section>
      {instance.logTail !== undefined && instance.logTail.length > 0 && (
        <Section title={text.instance.logTail} flush>
          <LogTail lines={instance.logTail} />
        </Section>
      )}
    </>
  )
}

function InstanceFacts({ instance }: { readonly instance: InstanceView }) {
  const { instance: text, pool, units } = useText()
  const { cpuMilli, memoryBytes, containerId } = instance
  return (
    <Facts
      facts={[
        [
          'ID',
          <Code key="id" copy>
            {instance.id}
          </Code>,
        ],
        [text.release, <ReleaseLink key="r" app={instance.app} release={instance.release} />],
        [text.node, <NodeLink key="n" node={instance.node} />],
        [
          text.address,
          instance.address === undefined ? undefined : (
            <Code key="a" copy>
              {instance.address}
            </Code>
          ),
        ],
        [
          text.traffic,
          <span key="t" className="status">
            <Mark tone={instance.inTraffic ? 'ok' : 'off'} />
            {instance.inTraffic ? pool.inTraffic : pool.outOfTraffic}
          </span>,
        ],
        [text.cpu, cpuMilli === undefined ? undefined : units.core(cpuMilli / 1000, formatCores(cpuMilli))],
        [text.memory, memoryBytes === undefined ? undefined : formatBytes(memoryBytes)],
        [
          text.container,
          containerId === undefined ? undefined : (
            <Code key="c" copy short={12}>
              {containerId}
            </Code>
          ),
        ],
        [text.restarts, String(instance.restarts)],
        [text.lastExit, exitText(text, instance)],
        [text.stopReason, instance.stopReason],
        [text.created, <Age key="cr" at={instance.createdAt} />],
        [text.started, instance.startedAt === undefined ? undefined : <Age key="st" at={instance.startedAt} />],
        [text.readySince, instance.readyAt === undefined ? undefined : <Age key="re" at={instance.readyAt} />],
        [text.ended, instance.endedAt === undefined ? undefined : <Age key="en" at={instance.endedAt} />],
      ]}
    />
  )
}

function exitText(text: ReturnType<typeof useText>['instance'], { lastExit }: InstanceView): string | undefined {
  if (lastExit === undefined) return undefined
  const parts = [
    text.exit(lastExit.code),
    lastExit.signal && text.signal(lastExit.signal),
    lastExit.outOfMemory && text.outOfMemory,
  ]
  return parts.filter(Boolean).join(', ')
}
