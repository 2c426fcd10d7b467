import type { ApprovalRuleView } from '@berth/api/release-resources'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons, removalOf } from '../components/row-buttons.tsx'
import { Field, personOf } from '../components/small.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient, useList } from '../store/context.tsx'
import { placeColumn } from './place-column.ts'

const roles = ['deployer', 'admin'] as const

/** How many have to say yes to deploys, whatever a berth.yaml says. */
export function ApprovalRulesTab() {
  const { approvalRules: text, clusterSettings: settings, freezes } = useText()
  const client = useClient()
  const columns: readonly Column<ApprovalRuleView>[] = [
    { key: 'name', title: freezes.name, lead: true, cell: ({ name }) => <code>{name}</code> },
    placeColumn(freezes),
    { key: 'needed', title: text.needed, align: 'right', cell: ({ needed }) => needed },
    { key: 'role', title: text.role, cell: ({ role }) => text.roles[role] },
    { key: 'by', title: freezes.by, cell: ({ createdBy }) => personOf(createdBy) },
  ]
  return (
    <NamedRows
      of={useList('listApprovalRules', {})}
      icon="key"
      label={settings.tabs.approvals}
      words={text}
      columns={columns}
      actions={({ name }) => (
        <RowButtons
          {...removalOf(text, name)}
          needs="admin"
          name={name}
          remove={() => client.call('removeApprovalRule', { params: { name } })}
        />
      )}
      textsOf={({ name, app = '', pool = '' }) => [name, app, pool]}
      dialog={(_, onClose) => <ApprovalRuleDialog onClose={onClose} />}
    />
  )
}

function ApprovalRuleDialog({ onClose }: { readonly onClose: () => void }) {
  const { approvalRules: text, freezes } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState({ ...{ name: '', app: '', pool: '', needed: '1' }, role: roles[0] as Role })
  const change = (part: Partial<typeof form>) => setForm({ ...form, ...part })
  const { name, app, pool, needed, role } = form
  const save = () =>
    submit({
      run: () =>
        client.call('addApprovalRule', {
          body: {
            ...{ name, needed: Number(needed), role },
            ...(app === '' ? {} : { app }),
            ...(pool === '' ? {} : { pool }),
          },
        }),
      done: text.added(name),
      after: onClose,
    })
  return (
    <FormDialog
      title={text.add}
      verb={text.add}
      ready={name !== '' && needed !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <WordField label={freezes.name} value={name} onChange={(next) => change({ name: next.trim() })} />
      <div className="field-row">
        <WordField
          label={freezes.app}
          hint={text.appHint}
          value={app}
          onChange={(next) => change({ app: next.trim() })}
        />
        <WordField
          label={freezes.pool}
          hint={freezes.poolHint}
          value={pool}
          onChange={(next) => change({ pool: next.trim() })}
        />
      </div>
      <div className="field-row">
        <WordField
          label={text.needed}
          hint={text.neededHint}
          inputMode="numeric"
          value={needed}
          onChange={(next) => change({ needed: next.replace(/\D/g, '') })}
        />
        <Field label={text.role}>
          <select value={role} onChange={(event) => change({ role: event.target.value as Role })}>
            {roles.map((each) => (
              <option key={each} value={each}>
                {text.roles[each]}
              </option>
            ))}
          </select>
        </Field>
      </div>
    </FormDialog>
  )
}

type Role = (typeof roles)[number]
