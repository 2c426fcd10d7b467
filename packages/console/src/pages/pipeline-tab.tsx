import type { AppView } from '@berth/api/app-resources'
import type { BuildView } from '@berth/api/deploy-resources'
import type { PipelineView } from '@berth/api/pipeline-resources'
import { type ReactNode, useRef, useState } from 'react'
import { rolloutPath } from '../actions/pool-buttons.tsx'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Facts, Section } from '../components/layout.tsx'
import { Code, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { poolState } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { useOne } from '../live/use-one.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient, useList } from '../store/context.tsx'
import { BuildTable } from './build-table.tsx'
import { PipelineButtons } from './pipeline-dialogs.tsx'

/** What a push builds, what waits to be built, and how far each release has come. */
export default function PipelineTab({ app }: { readonly app: AppView }) {
  const { pipeline: text } = useText()
  const [changes, setChanges] = useState(0)
  const { value, error } = useOne('getPipeline', { params: { app: app.name } }, changes)
  // While it is asked again, what is known stays, and with it a dialog that is open.
  const known = useRef(value)
  if (value !== undefined || error !== undefined) known.current = value
  const pipeline = known.current
  const buttons = <PipelineButtons app={app.name} pipeline={pipeline} onChanged={() => setChanges(changes + 1)} />
  if (pipeline === undefined) {
    if (error === undefined) return <Skeleton />
    return (
      <Empty icon="activity" title={text.none} hint={text.noneHint}>
        {buttons}
        <Code copy>{`berth pipeline set ${app.name} --branch main --deploy test`}</Code>
      </Empty>
    )
  }
  return (
    <>
      {pipeline.environments.length > 0 && <Chain app={app} pipeline={pipeline} />}
      <Queue app={app} />
      <PipelineFacts pipeline={pipeline} buttons={buttons} />
    </>
  )
}

interface Stage {
  readonly name: string
  readonly next: string | undefined
  readonly release: string | undefined
}

/** Environments in their order, each with what runs there and the way to the next one. */
function Chain({ app, pipeline }: { readonly app: AppView; readonly pipeline: PipelineView }) {
  const { pipeline: text, instance } = useText()
  const { environments, automatic } = pipeline
  const poolOf = (name: string | undefined) => app.pools.find((pool) => pool.name === name)
  const stages = environments.map((name, index): Stage => {
    return { name, next: environments[index + 1], release: poolOf(name)?.release }
  })
  const columns: readonly Column<Stage>[] = [
    {
      key: 'name',
      title: text.environment,
      lead: true,
      cell: ({ name }) => (
        <span className="nowrap">
          {poolOf(name) === undefined ? name : <Link to={path('apps', app.name, name)}>{name}</Link>}{' '}
          {automatic.includes(name) && <span className="chip">{text.automatic}</span>}
        </span>
      ),
    },
    {
      key: 'release',
      title: instance.release,
      cell: ({ release }) =>
        release === undefined ? <span className="muted">–</span> : <ReleaseLink app={app.name} release={release} />,
    },
    {
      key: 'state',
      title: instance.state,
      cell: ({ name }) => {
        const pool = poolOf(name)
        return pool === undefined ? null : <Status shown={poolState(pool)} />
      },
    },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: ({ name, next, release }) =>
        next === undefined || release === undefined || poolOf(next)?.release === release ? null : (
          <PromoteButton app={app.name} from={name} to={next} release={release} />
        ),
    },
  ]
  return (
    <Section title={text.chain} flush>
      <Table label={text.chain} columns={columns} rows={stages} rowKey={({ name }) => name} />
    </Section>
  )
}

interface PromoteButtonProps {
  readonly app: string
  readonly from: string
  readonly to: string
  readonly release: string
}

function PromoteButton({ app, from, to, release }: PromoteButtonProps) {
  const { pipeline: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const promote = () =>
    act({
      ask: {
        title: text.promoteTitle(`${app} ${release}`, to),
        body: (
          <p>
            {text.promoteText(from)} <Link to={path('apps', app, '-', 'releases', release)}>{text.changes}</Link>
          </p>
        ),
        verb: text.promote(to),
      },
      run: () => client.call('promoteRelease', { params: { app }, body: { from, to, release } }),
      done: text.promoted(`${app} ${release}`, to),
      to: ({ rollout }) => rolloutPath(rollout),
    })
  return (
    <RoleButton needs="deployer" small disabled={busy} onClick={() => void promote()}>
      {text.promote(to)}
    </RoleButton>
  )
}

function Queue({ app }: { readonly app: AppView }) {
  const { pipeline: text } = useText()
  const builds = useList('listBuilds', { query: { app: app.name } })
  const open = builds.items.filter(({ endedAt }: BuildView) => endedAt === undefined)
  return (
    <Section title={text.queue} flush>
      {open.length === 0 ? <p className="muted pad">{text.queueEmpty}</p> : <BuildTable builds={open} />}
    </Section>
  )
}

function PipelineFacts({ pipeline, buttons }: { readonly pipeline: PipelineView; readonly buttons: ReactNode }) {
  const { pipeline: text } = useText()
  const { branches, tags, deploy, webhook, pollMs, seenAt } = pipeline
  const patterns = (words: readonly string[]) => (words.length === 0 ? '–' : <Code key="p">{words.join(' ')}</Code>)
  return (
    <Section title={text.title} aside={buttons}>
      <Facts
        facts={[
          [text.branches, patterns(branches)],
          [text.tags, patterns(tags)],
          [text.deploy, deploy ?? text.nothing],
          [
            text.webhook,
            webhook === undefined ? (
              text.noWebhook
            ) : (
              <Code key="w" copy>
                {webhook}
              </Code>
            ),
          ],
          [text.poll, pollMs === undefined ? text.never : text.everySeconds(Math.round(pollMs / 1000))],
          [text.moved, seenAt === undefined ? '–' : <Age key="a" at={seenAt} />],
        ]}
      />
    </Section>
  )
}
