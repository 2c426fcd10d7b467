import type { SubscriptionView } from '@berth/api/subscription-resources'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { useSecret } from '../components/use-secret.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

interface SubscriptionDialogProps {
  /** Absent: a new one. */
  readonly subscription: SubscriptionView | undefined
  readonly onClose: () => void
}

export function SubscriptionDialog({ subscription, onClose }: SubscriptionDialogProps) {
  const { subscriptions: text, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState({
    ...{ name: subscription?.name ?? '', url: subscription?.url ?? '', app: subscription?.app ?? '' },
    events: subscription?.events.join(' ') ?? '',
  })
  const change = (part: Partial<typeof form>) => setForm({ ...form, ...part })
  const secret = useSecret({
    ...{ label: text.secret, hint: text.secretHint },
    ...{ has: subscription?.hasSecret, isSamePlace: form.url.trim() === subscription?.url },
  })
  const save = () => {
    const { name, url, app, events } = form
    const types = events.split(/[\s,]+/).filter((each) => each !== '')
    const body = {
      url: url.trim(),
      ...(types.length === 0 ? {} : { events: types }),
      ...(app.trim() === '' ? {} : { app: app.trim() }),
      ...secret.part,
    }
    submit({
      run: () => client.call('setSubscription', { params: { name }, body }),
      done: text.saved(name),
      after: onClose,
    })
  }
  return (
    <FormDialog
      wide
      title={subscription === undefined ? text.add : text.changeTitle(subscription.name)}
      verb={groups.save}
      ready={form.name !== '' && form.url.trim() !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      {subscription === undefined && (
        <WordField label={text.name} value={form.name} onChange={(name) => change({ name: name.trim() })} />
      )}
      <WordField label={text.url} hint={text.urlHint} value={form.url} onChange={(url) => change({ url })} />
      <div className="field-row">
        <WordField
          label={text.events}
          hint={text.eventsHint}
          value={form.events}
          onChange={(events) => change({ events })}
        />
        <WordField label={text.app} value={form.app} onChange={(app) => change({ app })} />
      </div>
      {secret.field}
      {secret.awayCheck}
    </FormDialog>
  )
}
