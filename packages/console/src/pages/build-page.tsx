import type { BuildView } from '@berth/api/deploy-resources'
import { lazy, Suspense } from 'react'
import { Age, Took } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Facts, Page, Section } from '../components/layout.tsx'
import { By, Code, LogTail, NodeLink, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { buildState } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { useOne } from '../live/use-one.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient, useList } from '../store/context.tsx'
import { NotFoundPage } from './not-found-page.tsx'

const BuildOutput = lazy(() => import('./build-output.tsx'))

export default function BuildPage({ id }: { readonly id: string }) {
  const text = useText()
  const first = useOne('getBuild', { params: { id } })
  const live = useList('listBuilds', first.value && { query: { app: first.value.app } })
  const build = live.items.find((each) => each.id === id) ?? first.value
  if (build === undefined) return first.error === undefined ? <Skeleton /> : <NotFoundPage title={text.build.missing} />
  return (
    <Page
      title={`${text.build.title} ${build.id}`}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: build.app, to: path('apps', build.app) },
        { label: text.app.builds, to: path('apps', build.app, '-', 'builds') },
      ]}
      status={<Status shown={buildState(build)} />}
      about={build.subject}
      actions={<CancelButton build={build} />}
    >
      <Section>
        <BuildFacts build={build} />
        <BuildFailure build={build} />
      </Section>
      <Suspense fallback={<Skeleton />}>
        <BuildOutput build={build.id} />
      </Suspense>
    </Page>
  )
}

function BuildFailure({ build: { error } }: { readonly build: BuildView }) {
  const text = useText()
  if (error === undefined) return null
  return (
    <div className="failure">
      <p>
        <strong>{text.build.failure}: </strong>
        {error.message} <code className="muted">{error.code}</code>
      </p>
      {error.logTail !== undefined && error.logTail.length > 0 && <LogTail lines={error.logTail} />}
    </div>
  )
}

function BuildFacts({ build }: { readonly build: BuildView }) {
  const text = useText()
  const { app, commit, ref, release, image, node, deployTo, rollout } = build
  return (
    <Facts
      facts={[
        [
          text.build.commit,
          commit === undefined ? undefined : (
            <Code key="c" copy short={12}>
              {commit}
            </Code>
          ),
        ],
        [text.build.ref, <code key="r">{ref}</code>],
        [text.build.release, release === undefined ? undefined : <ReleaseLink key="l" app={app} release={release} />],
        [
          text.build.image,
          image === undefined ? undefined : (
            <Code key="i" copy short={32}>
              {image}
            </Code>
          ),
        ],
        [text.build.reused, build.reused === true ? text.build.reusedHint : undefined],
        [text.build.node, node === undefined ? undefined : <NodeLink key="n" node={node} />],
        [
          text.build.deployTo,
          deployTo === undefined ? undefined : (
            <Link key="d" to={path('apps', app, deployTo)}>
              {deployTo}
            </Link>
          ),
        ],
        [
          text.rollout.title,
          rollout === undefined ? undefined : (
            <Link key="o" to={path('rollouts', rollout)}>
              {rollout}
            </Link>
          ),
        ],
        [
          text.build.started,
          <span key="s">
            <Age at={build.createdAt} /> <By who={build.createdBy} />
          </span>,
        ],
        [text.build.took, <Took key="t" from={build.startedAt} to={build.endedAt} />],
      ]}
    />
  )
}

function CancelButton({ build: { id, state } }: { readonly build: BuildView }) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  if (state !== 'queued' && state !== 'running') return null
  const cancel = () =>
    act({
      ask: {
        title: text.confirm.cancelBuild(id),
        body: <p>{text.confirm.cancelBuildText}</p>,
        verb: text.action.cancelBuild,
        danger: true,
      },
      run: () => client.call('cancelBuild', { params: { id } }),
      done: text.done.buildCancelled(id),
    })
  return (
    <RoleButton needs="deployer" kind="danger" disabled={busy} onClick={() => void cancel()}>
      {text.action.cancelBuild}
    </RoleButton>
  )
}
