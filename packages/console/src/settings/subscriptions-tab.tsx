import type { SubscriptionView } from '@berth/api/subscription-resources'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons, removalOf } from '../components/row-buttons.tsx'
import { Mark } from '../components/status.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient, useList } from '../store/context.tsx'
import { SubscriptionDialog } from './subscription-dialog.tsx'

/** Who else is told of events, how far each has come, and which cannot be reached. */
export function SubscriptionsTab() {
  const { subscriptions: text, clusterSettings: settings } = useText()
  const client = useClient()
  const columns: readonly Column<SubscriptionView>[] = [
    { key: 'name', title: text.name, lead: true, cell: ({ name }) => <code>{name}</code> },
    {
      key: 'url',
      title: text.url,
      cell: ({ url, hasSecret }) => (
        <span className="two-lines">
          <code className="wrap">{url}</code>
          <span className="muted small">
            {text.secret}: {hasSecret ? text.hasSecret : text.noSecret}
          </span>
        </span>
      ),
    },
    {
      key: 'events',
      title: text.events,
      cell: ({ events, app }) => (
        <span className="two-lines">
          <code className="wrap">{events.join(' ').replace(/^\*$/, text.allEvents)}</code>
          {app !== undefined && <span className="muted small">{app}</span>}
        </span>
      ),
    },
    { key: 'told', title: text.told, wide: true, cell: (subscription) => <Told subscription={subscription} /> },
  ]
  return (
    <NamedRows
      of={useList('listSubscriptions', {})}
      icon="events"
      label={settings.tabs.subscriptions}
      words={text}
      columns={columns}
      actions={({ name }, edit) => (
        <span className="row-actions">
          <TryButton name={name} />
          <RowButtons
            {...removalOf(text, name)}
            needs="admin"
            name={name}
            change={{ word: text.change, begin: edit }}
            remove={() => client.call('removeSubscription', { params: { name } })}
          />
        </span>
      )}
      textsOf={({ name, url, events, app = '' }) => [name, url, app, ...events]}
      dialog={(subscription, onClose) => <SubscriptionDialog subscription={subscription} onClose={onClose} />}
    />
  )
}

function TryButton({ name }: { readonly name: string }) {
  const { subscriptions: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const attempt = () =>
    act({
      run: () => client.call('trySubscription', { params: { name } }),
      done: ({ tookMs }) => text.tried(name, tookMs),
    })
  return (
    <RoleButton needs="admin" small disabled={busy} aria-label={`${text.try} ${name}`} onClick={() => void attempt()}>
      {text.try}
    </RoleButton>
  )
}

function Told({ subscription }: { readonly subscription: SubscriptionView }) {
  const { subscriptions: text } = useText()
  const { deliveredAt, failures, failingSince, problem, revision } = subscription
  return (
    <span className="two-lines">
      <span className={`status sentence tone-${failures > 0 ? 'bad' : 'ok'}`} title={text.revision(revision)}>
        <Mark tone={failures > 0 ? 'bad' : deliveredAt === undefined ? 'off' : 'ok'} />
        <span>
          {failures > 0 && text.failing(failures)}{' '}
          {failures === 0 && deliveredAt === undefined ? (
            text.never
          ) : (
            <Age at={failures > 0 ? failingSince : deliveredAt} />
          )}
        </span>
      </span>
      {failures > 0 && problem !== undefined && <span className="muted small wrap">{problem}</span>}
    </span>
  )
}
