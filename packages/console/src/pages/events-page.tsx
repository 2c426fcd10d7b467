import { Page } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { EventList } from './event-list.tsx'

export default function EventsPage() {
  const text = useText()
  return (
    <Page title={text.events.title}>
      <EventList input={{ query: { limit: 300 } }} />
    </Page>
  )
}
