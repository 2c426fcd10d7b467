import type { CallInput } from '@berth/api/client'
import type { EventView } from '@berth/api/cluster-resources'
import { Age } from '../components/age.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { By, Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { eventTone, subjectLinks } from '../live/event-subject.ts'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { useList } from '../store/context.tsx'

interface EventListProps {
  readonly input: CallInput<'listEvents'>
  readonly matches?: (event: EventView) => boolean
  readonly title?: string
  /** One part of a page: few lines, and nothing at all where nothing has happened. */
  readonly brief?: boolean
}

const most = 300
const mostBrief = 15

export function EventList({ input, matches = () => true, title, brief = false }: EventListProps) {
  const text = useText()
  const events = useList('listEvents', input)
  const [filter, setFilter] = useQueryValue('filter')
  const wanted = brief ? '' : filter.toLowerCase()
  const shown = events.items
    .filter((event) => matches(event) && `${event.type} ${event.message} ${event.actor}`.toLowerCase().includes(wanted))
    .toSorted((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
    .slice(0, brief ? mostBrief : most)
  if (brief && shown.length === 0) return null
  return (
    <Section
      flush
      {...(title === undefined ? {} : { title })}
      aside={!brief && <Filter value={filter} onChange={setFilter} label={text.events.filter} />}
    >
      <Listing of={events} rows={8} empty={<Empty icon="events" title={text.events.empty} />}>
        {() =>
          shown.length === 0 ? (
            <Empty icon="search" title={filter === '' ? text.events.empty : text.events.noMatch} />
          ) : (
            <ol className="events">
              {shown.map((event) => (
                <EventLine key={event.id} event={event} />
              ))}
            </ol>
          )
        }
      </Listing>
    </Section>
  )
}

function EventLine({ event }: { readonly event: EventView }) {
  return (
    <li className="event">
      <Mark tone={eventTone(event.type)} />
      <div className="event-main">
        <p className="event-message">{event.message}</p>
        <p className="event-meta">
          <code>{event.type}</code>
          <By who={event.actor} />
          {subjectLinks(event.subject).map(({ label, to }) => (
            <Link key={to} to={to}>
              {label}
            </Link>
          ))}
        </p>
      </div>
      <Age at={event.at} />
    </li>
  )
}
