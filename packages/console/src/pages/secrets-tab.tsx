import type { SecretView } from '@berth/api/access-resources'
import type { AppView } from '@berth/api/app-resources'
import { type SecretUse, secretUses } from '@berth/api/secret-uses'
import { useState } from 'react'
import { SecretDialog } from '../actions/secret-dialog.tsx'
import { Age } from '../components/age.tsx'
import { Button, RoleButton } from '../components/button.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { By } from '../components/small.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient, useList } from '../store/context.tsx'

export function SecretsTab({ app }: { readonly app: AppView }) {
  const { action } = useText()
  const may = useMay('deployer')
  return may ? <Secrets app={app} /> : <Empty icon="key" title={action.needsRole('deployer')} />
}

function Secrets({ app }: { readonly app: AppView }) {
  const text = useText()
  const secrets = useList('listSecrets', { params: { app: app.name } })
  const [editing, setEditing] = useState<{ readonly name?: string; readonly environment?: string | undefined }>()
  const add = (
    <RoleButton needs="deployer" icon="plus" onClick={() => setEditing({})}>
      {text.action.setSecret}
    </RoleButton>
  )
  return (
    <Section flush aside={secrets.items.length > 0 && add}>
      <Listing
        of={secrets}
        empty={
          <Empty icon="key" title={text.secrets.empty} hint={text.secrets.emptyHint}>
            {add}
          </Empty>
        }
      >
        {(items) => <SecretTable app={app.name} secrets={items} onEdit={setEditing} />}
      </Listing>
      {editing !== undefined && <SecretDialog app={app} start={editing} onClose={() => setEditing(undefined)} />}
    </Section>
  )
}

interface SecretTableProps {
  readonly app: string
  readonly secrets: readonly SecretView[]
  readonly onEdit: (secret: SecretView) => void
}

function SecretTable({ app, secrets, onEdit }: SecretTableProps) {
  const text = useText()
  const columns: readonly Column<SecretView>[] = [
    { key: 'name', title: text.secrets.name, lead: true, cell: (secret) => <code>{secret.name}</code> },
    {
      key: 'environment',
      title: text.secrets.environment,
      cell: ({ environment }) =>
        environment === undefined ? (
          <span className="muted">{text.secrets.everywhere}</span>
        ) : (
          <span className="chip">{environment}</span>
        ),
    },
    {
      key: 'version',
      title: text.secrets.version,
      align: 'right',
      cell: (secret) => <span className="number">{secret.version}</span>,
    },
    {
      key: 'updated',
      title: text.secrets.updated,
      cell: (secret) => (
        <span className="nowrap">
          <Age at={secret.updatedAt} /> <By who={secret.updatedBy} />
        </span>
      ),
    },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: (secret) => <SecretButtons app={app} secret={secret} secrets={secrets} onEdit={onEdit} />,
    },
  ]
  return (
    <Table
      label={text.app.secrets}
      columns={columns}
      rows={secrets.toSorted(
        (a, b) => a.name.localeCompare(b.name) || (a.environment ?? '').localeCompare(b.environment ?? ''),
      )}
      rowKey={(secret) => `${secret.environment ?? ''}/${secret.name}`}
    />
  )
}

interface SecretButtonsProps extends SecretTableProps {
  readonly secret: SecretView
}

function SecretButtons({ app, secret, secrets, onEdit }: SecretButtonsProps) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  /** What cannot be told now is not warned of: then the removal fails as well, and says why. */
  const usesNow = (): Promise<readonly SecretUse[]> =>
    client.list('listReleases', { params: { app } }).then(
      ({ items }) => secretUses(items, secret, secrets),
      () => [],
    )
  const remove = async ({ name, environment }: SecretView) => {
    const uses = await usesNow()
    await act({
      ask: {
        title: text.confirm.removeSecret(name),
        body: <RemovalText uses={uses} />,
        verb: text.action.remove,
        danger: true,
      },
      run: () => client.call('removeSecret', { params: { app, name }, query: { environment } }),
      done: text.done.secretRemoved(name),
    })
  }
  return (
    <span className="row-actions">
      <Button small onClick={() => onEdit(secret)} aria-label={`${text.action.replaceSecret} ${secret.name}`}>
        {text.action.replaceSecret}
      </Button>
      <Button
        small
        kind="danger"
        disabled={busy}
        onClick={() => void remove(secret)}
        aria-label={`${text.action.remove} ${secret.name}`}
      >
        {text.action.remove}
      </Button>
    </span>
  )
}

function RemovalText({ uses }: { readonly uses: readonly SecretUse[] }) {
  const { confirm: text } = useText()
  return (
    <>
      {uses.map(({ pool, release, entrypoints }) => (
        <p key={pool} className="warn-text">
          {text.secretUse(pool, release, entrypoints.join(', '))}
        </p>
      ))}
      <p>{text.removeSecretText}</p>
    </>
  )
}
