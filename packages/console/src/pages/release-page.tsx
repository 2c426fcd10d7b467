import { Age } from '../components/age.tsx'
import { Facts, Page, Section } from '../components/layout.tsx'
import { By, Code } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useOne } from '../live/use-one.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { NotFoundPage } from './not-found-page.tsx'

export default function ReleasePage({ app, release: id }: { readonly app: string; readonly release: string }) {
  const text = useText()
  const { value: release, error } = useOne('getRelease', { params: { app, release: id } })
  if (release === undefined) return error === undefined ? <Skeleton /> : <NotFoundPage title={text.release.missing} />
  const { commit, image, build, runningIn } = release
  return (
    <Page
      title={id}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: app, to: path('apps', app) },
        { label: text.app.releases, to: path('apps', app, '-', 'releases') },
      ]}
      about={release.subject}
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
      <Section title={text.release.spec} flush>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keyboards must reach it */}
        <pre className="spec" tabIndex={0}>
          {JSON.stringify(release.spec, null, 2)}
        </pre>
      </Section>
    </Page>
  )
}
