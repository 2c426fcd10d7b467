import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { useText } from '../i18n/language.tsx'
import { useList } from '../store/context.tsx'
import { BuildTable } from './build-table.tsx'
import { RolloutTable } from './rollout-table.tsx'

export function ActivityPage() {
  const text = useText()
  const rollouts = useList('listRollouts', { query: { limit: 50 } })
  const builds = useList('listBuilds', { query: { limit: 50 } })
  const empty = <Empty icon="activity" title={text.activity.empty} hint={text.activity.emptyHint} />
  return (
    <Page title={text.activity.title}>
      <Section title={text.activity.rollouts} flush>
        <Listing of={rollouts} empty={empty}>
          {(items) => <RolloutTable rollouts={items} withPool />}
        </Listing>
      </Section>
      <Section title={text.activity.builds} flush>
        <Listing of={builds} empty={empty}>
          {(items) => <BuildTable builds={items} withApp />}
        </Listing>
      </Section>
    </Page>
  )
}
