import type { CronView } from '@berth/api/scheduling-resources'
import { RunNowButton } from '../actions/run-now-button.tsx'
import { Age, Until } from '../components/age.tsx'
import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { RunMarks, runTones, schedulePath } from '../pages/schedule-line.tsx'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'

/** What runs by the clock, of all apps; what is due next comes first. */
export default function SchedulesPage() {
  const { schedules: text } = useText()
  const crons = useList('listCrons', {})
  const [filter, setFilter] = useQueryValue('filter')
  const wanted = filter.trim().toLowerCase()
  return (
    <Page
      title={text.title}
      actions={crons.items.length > 2 && <Filter value={filter} onChange={setFilter} label={text.filter} />}
    >
      <Section flush>
        <Listing of={crons} empty={<Empty icon="calendar" title={text.empty} hint={text.emptyHint} />}>
          {(items) => <ScheduleTable crons={items.filter((each) => nameOf(each).includes(wanted))} />}
        </Listing>
      </Section>
    </Page>
  )
}

const nameOf = ({ app, pool, entrypoint }: CronView): string => `${app}/${pool}/${entrypoint}`

function ScheduleTable({ crons }: { readonly crons: readonly CronView[] }) {
  const { schedules: text, schedule } = useText()
  const columns: readonly Column<CronView>[] = [
    {
      key: 'job',
      title: text.job,
      lead: true,
      cell: (cron) => (
        <span className="two-lines">
          <Link to={schedulePath(cron)}>{cron.entrypoint}</Link>
          <Link to={path('apps', cron.app, cron.pool)} className="muted small quiet-link">
            {`${cron.app}/${cron.pool}`}
          </Link>
        </span>
      ),
    },
    {
      key: 'cron',
      title: text.schedule,
      cell: ({ cron, zone }) => (
        <span className="two-lines">
          <code>{cron}</code>
          <span className="muted small">{zone}</span>
        </span>
      ),
    },
    {
      key: 'next',
      title: text.nextHead,
      cell: ({ nextAt }) => (nextAt === undefined ? schedule.notAgain : <Until at={nextAt} />),
    },
    {
      key: 'last',
      title: text.last,
      cell: ({ runs: [last] }) =>
        last === undefined ? (
          <span className="muted">–</span>
        ) : (
          <span className="two-lines">
            <span className="status">
              <Mark tone={runTones[last.state]} />
              {schedule.states[last.state]}
            </span>
            <span className="muted small">
              <Age at={last.dueAt} />
            </span>
          </span>
        ),
    },
    { key: 'runs', title: text.runs, cell: ({ runs }) => <RunMarks runs={runs} /> },
    { key: 'action', title: '', align: 'right', cell: (cron) => <RunNowButton cron={cron} /> },
  ]
  return (
    <Table
      label={text.title}
      columns={columns}
      rows={crons.toSorted((a, b) => (a.nextAt ?? Infinity) - (b.nextAt ?? Infinity) || compare(a, b))}
      rowKey={nameOf}
      tone={({ runs: [last] }) => (last?.state === 'failed' ? 'bad' : undefined)}
    />
  )
}

const compare = (a: CronView, b: CronView): number => nameOf(a).localeCompare(nameOf(b))
