import type { HookTargetView } from '@berth/api/release-resources'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons } from '../components/row-buttons.tsx'
import { Check, personOf } from '../components/small.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient, useList } from '../store/context.tsx'

/** Which URLs hooks of stages may call. */
export function HookTargetsTab() {
  const { hookTargets: text, clusterSettings: settings, subscriptions, freezes } = useText()
  const client = useClient()
  const columns = (onEdit: (row: HookTargetView) => void): readonly Column<HookTargetView>[] => [
    { key: 'name', title: freezes.name, lead: true, cell: ({ name }) => <code>{name}</code> },
    { key: 'url', title: text.url, wide: true, cell: ({ url }) => <code>{url}</code> },
    {
      key: 'secret',
      title: subscriptions.secret,
      cell: ({ hasSecret }) => (hasSecret ? subscriptions.hasSecret : subscriptions.noSecret),
    },
    { key: 'by', title: freezes.by, cell: ({ updatedBy }) => personOf(updatedBy) },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: (row) => (
        <RowButtons
          needs="admin"
          name={row.name}
          change={{ word: subscriptions.change, begin: () => onEdit(row) }}
          ask={{ title: text.removeTitle(row.name), body: <p>{text.removeText}</p> }}
          remove={() => client.call('removeHookTarget', { params: { name: row.name } })}
          done={text.removed(row.name)}
        />
      ),
    },
  ]
  return (
    <NamedRows
      of={useList('listHookTargets', {})}
      icon="external"
      label={settings.tabs.hooks}
      words={text}
      columns={columns}
      textsOf={({ name, url }) => [name, url]}
      dialog={(row, onClose) => <HookTargetDialog target={row} onClose={onClose} />}
    />
  )
}

interface HookTargetDialogProps {
  /** Absent: a new one. */
  readonly target: HookTargetView | undefined
  readonly onClose: () => void
}

/** A secret that is set is never shown; what is typed here lives as long as the dialog. */
function HookTargetDialog({ target, onClose }: HookTargetDialogProps) {
  const { hookTargets: text, subscriptions, freezes, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState({ name: target?.name ?? '', url: target?.url ?? '', secret: '', away: false })
  const change = (part: Partial<typeof form>) => setForm({ ...form, ...part })
  const { name, url, secret, away } = form
  // It is kept for one address, so that no other ever gets it.
  const isKept = target?.hasSecret === true && url.trim() === target.url
  const secretHint = isKept ? subscriptions.secretKept : target?.hasSecret ? subscriptions.secretGone : text.secretHint
  const save = () =>
    submit({
      run: () =>
        client.call('setHookTarget', {
          params: { name },
          body: { url: url.trim(), ...(isKept && secret === '' && !away ? {} : { secret: away ? '' : secret }) },
        }),
      done: text.saved(name),
      after: onClose,
    })
  return (
    <FormDialog
      title={target === undefined ? text.add : subscriptions.changeTitle(target.name)}
      verb={groups.save}
      ready={name !== '' && url.trim() !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      {target === undefined && (
        <WordField label={freezes.name} value={name} onChange={(next) => change({ name: next.trim() })} />
      )}
      <WordField label={text.url} hint={text.urlHint} value={url} onChange={(next) => change({ url: next })} />
      {!away && (
        <WordField
          label={subscriptions.secret}
          hint={secretHint}
          type="password"
          autoComplete="new-password"
          value={secret}
          onChange={(next) => change({ secret: next })}
        />
      )}
      {isKept && (
        <Check
          label={subscriptions.secretAway}
          checked={away}
          onChange={(next) => change({ away: next, secret: '' })}
        />
      )}
    </FormDialog>
  )
}
