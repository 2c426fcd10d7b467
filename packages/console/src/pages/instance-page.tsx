import type { InstanceView } from '@berth/api/instance-resources'
import { lazy, Suspense } from 'react'
import { RestartInstanceButton, StopInstanceButton } from '../actions/instance-buttons.tsx'
import { ResizeButton } from '../actions/resize-button.tsx'
import { Empty, Page } from '../components/layout.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useOne } from '../live/use-one.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { InstanceOverview } from './instance-overview.tsx'
import { InstanceStatus } from './instance-table.tsx'
import { MetricsPanel } from './metrics-panel.tsx'
import { NotFoundPage } from './not-found-page.tsx'

const LogsPanel = lazy(() => import('./logs-panel.tsx'))
const TerminalPanel = lazy(() => import('./terminal-panel.tsx'))

export function InstancePage({ id, tab = '' }: { readonly id: string; readonly tab?: string | undefined }) {
  const text = useText()
  const may = useMay('deployer')
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
  const { app, pool, entrypoint, type } = instance
  const at = (part: string) => path('instances', id, part)
  return (
    <Page
      title={instance.name}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: app, to: path('apps', app) },
        { label: pool, to: path('apps', app, pool) },
        type === 'job'
          ? { label: text.jobs.title, to: path('apps', app, pool, 'jobs') }
          : { label: entrypoint, to: path('apps', app, pool, 'entrypoints', entrypoint) },
      ]}
      status={<InstanceStatus instance={instance} brief />}
      actions={
        instance.phase !== 'ended' && (
          <>
            <StopInstanceButton instance={instance} />
            {type === 'service' && <ResizeButton target={{ instance: id, name: instance.name }} sizes={instance} />}
            {type === 'service' && <RestartInstanceButton instance={instance} />}
          </>
        )
      }
      tabs={[
        { label: text.instance.overview, to: path('instances', id), exact: true },
        { label: text.instance.logs, to: at('logs') },
        ...(may ? [{ label: text.instance.terminal, to: at('terminal') }] : []),
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
  if (instance.phase !== 'running') return <Empty icon="terminal" title={text.instance.ended_terminal} />
  return <TerminalPanel instance={instance.id} />
}
