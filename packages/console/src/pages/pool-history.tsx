import type { AppView, PoolView } from '@berth/api/app-resources'
import { RollbackButton } from '../actions/pool-buttons.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { useText } from '../i18n/language.tsx'
import { neverServed } from '../live/never-served.ts'
import { useList } from '../store/context.tsx'
import { ReleaseTable, releaseNumber } from './release-table.tsx'
import { RolloutTable } from './rollout-table.tsx'

export function PoolHistory({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const text = useText()
  const releases = useList('listReleases', { params: { app: app.name } })
  const rollouts = useList('listRollouts', { query: { app: app.name, pool: pool.name, limit: 50 } })
  const running = pool.release
  const failed = neverServed(rollouts.items)
  return (
    <>
      <Section title={text.app.releases} flush>
        <Listing of={releases} empty={<Empty icon="box" title={text.app.noReleases} hint={text.app.noReleasesHint} />}>
          {(items) => (
            <ReleaseTable
              app={app.name}
              releases={items}
              current={running}
              action={({ id }) =>
                id === running ? (
                  <span className="chip chip-ok">{text.pool.running}</span>
                ) : (
                  <RollbackButton
                    app={app.name}
                    pool={pool.name}
                    release={id}
                    newer={running === undefined || failed.has(id) || releaseNumber(id) > releaseNumber(running)}
                  />
                )
              }
            />
          )}
        </Listing>
      </Section>
      <Section title={text.activity.rollouts} flush>
        <Listing of={rollouts} empty={<Empty icon="activity" title={text.pool.noHistory} />}>
          {(items) => <RolloutTable rollouts={items} />}
        </Listing>
      </Section>
    </>
  )
}
