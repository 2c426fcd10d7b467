import type { HookTargetView } from '@berth/api/release-resources'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons, removalOf } from '../components/row-buttons.tsx'
import { personOf } from '../components/small.tsx'
import type { Column } from '../components/table.tsx'
import { useSecret } from '../components/use-secret.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient, useList } from '../store/context.tsx'

/** Which URLs hooks of stages may call. */
export function HookTargetsTab() {
  const { hookTargets: text, clusterSettings: settings, subscriptions, freezes } = useText()
  const client = useClient()
  const columns: readonly Column<HookTargetView>[] = [
    { key: 'name', title: freezes.name, lead: true, cell: ({ name }) => <code>{name}</code> },
    { key: 'url', title: text.url, wide: true, cell: ({ url }) => <code>{url}</code> },
    {
      key: 'secret',
      title: subscriptions.secret,
      cell: ({ hasSecret }) => (hasSecret ? subscriptions.hasSecret : subscriptions.noSecret),
    },
    { key: 'by', title: freezes.by, cell: ({ updatedBy }) => personOf(updatedBy) },
  ]
  return (
    <NamedRows
      of={useList('listHookTargets', {})}
      icon="external"
      label={settings.tabs.hooks}
      words={text}
      columns={columns}
      actions={({ name }, edit) => (
        <RowButtons
          {...removalOf(text, name)}
          needs="admin"
          name={name}
          change={{ word: subscriptions.change, begin: edit }}
          remove={() => client.call('removeHookTarget', { params: { name } })}
        />
      )}
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

function HookTargetDialog({ target, onClose }: HookTargetDialogProps) {
  const { hookTargets: text, subscriptions, freezes, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState({ name: target?.name ?? '', url: target?.url ?? '' })
  const change = (part: Partial<typeof form>) => setForm({ ...form, ...part })
  const { name, url } = form
  const secret = useSecret({
    ...{ label: subscriptions.secret, hint: text.secretHint },
    ...{ has: target?.hasSecret, isSamePlace: url.trim() === target?.url },
  })
  const save = () =>
    submit({
      run: () =>
        client.call('setHookTarget', {
          params: { name },
          body: { url: url.trim(), ...secret.part },
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
      {secret.field}
      {secret.awayCheck}
    </FormDialog>
  )
}
