import type { ReleaseView } from '@berth/api/app-resources'
import { Age } from '../components/age.tsx'
import { Facts, Page, Section } from '../components/layout.tsx'
import { By, Code } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { testState } from '../live/states.ts'
import { useGlance } from '../live/use-glance.ts'
import { useOne } from '../live/use-one.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { NotFoundPage } from './not-found-page.tsx'
import { ReleaseChanges } from './release-changes.tsx'

export default function ReleasePage({ app, release: id }: { readonly app: string; readonly release: string }) {
  const text = useText()
  const pools =
    useGlance('listApps', {})
      .find(({ name }) => name === app)
      ?.pools.map(({ name }) => name) ?? []
  const { value: release, error } = useOne('getRelease', { params: { app, release: id } })
  if (release === undefined) return error === undefined ? <Skeleton /> : <NotFoundPage title={text.release.missing} />
  const { commit, author, image, build, runningIn, tests } = release
  return (
    <Page
      title={id}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: app, to: path('apps', app) },
        { label: text.app.releases, to: path('apps', app, '-', 'releases') },
      ]}
      about={release.subject}
      actions={
        <Link to={`${path('apps', app, '-', 'compare')}?to=${id}`} className="button button-plain">
          {text.release.compare}
        </Link>
      }
    >
      <Section>
        <Facts
          facts={[
            [
              text.release.commit,
              commit === undefined ? undefined : (
                <Code key="c" copy short={12}>
                  {commit}
                </Code>
              ),
            ],
            [text.release.author, author],
            [
              text.release.image,
              <Code key="i" copy short={32}>
                {image}
              </Code>,
            ],
            [
              text.release.build,
              build === undefined ? undefined : (
                <Link key="b" to={path('builds', build)}>
                  {build}
                </Link>
              ),
            ],
            [
              text.release.made,
              <span key="m">
                <Age at={release.createdAt} /> <By who={release.createdBy} />
              </span>,
            ],
            [
              text.release.runningIn,
              runningIn.length === 0 ? (
                text.release.nowhere
              ) : (
                <span key="p" className="chips">
                  {runningIn.map((pool) => (
                    <Link key={pool} className="chip" to={path('apps', app, pool)}>
                      {pool}
                    </Link>
                  ))}
                </span>
              ),
            ],
          ]}
        />
      </Section>
      {tests !== undefined && <ReleaseTests tests={tests} />}
      <ReleaseChanges release={release} pools={pools} />
      <Section title={text.release.spec} flush>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keyboards must reach it */}
        <pre className="spec" tabIndex={0}>
          {JSON.stringify(release.spec, null, 2)}
        </pre>
      </Section>
    </Page>
  )
}

/** Each job of `test:`, with what a failed one printed last. */
function ReleaseTests({ tests }: { readonly tests: NonNullable<ReleaseView['tests']> }) {
  const { release: text } = useText()
  return (
    <Section title={text.tests}>
      <p>
        <Status shown={testState(tests.state)} /> {tests.of !== undefined && text.testsOf(tests.of)}
      </p>
      {tests.runs.map(({ entrypoint, state, message, logTail }) => (
        <div key={entrypoint}>
          <p>
            <strong>{entrypoint}</strong> <Status shown={testState(state)} detail={message} />
          </p>
          {state === 'failed' && logTail.length > 0 && (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keyboards must reach it
            <pre className="spec" tabIndex={0}>
              {logTail.join('\n')}
            </pre>
          )}
        </div>
      ))}
    </Section>
  )
}
