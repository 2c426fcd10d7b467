import type { TokenView } from '@berth/api/access-resources'
import { useState } from 'react'
import { TokenDialog } from '../actions/token-dialog.tsx'
import { Age, Until } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { By } from '../components/small.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay, useSession } from '../live/session.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient, useList } from '../store/context.tsx'

export default function TokensPage() {
  const text = useText()
  const may = useMay('admin')
  if (may) return <Tokens />
  return (
    <Page title={text.tokens.title}>
      <div className="panel">
        <Empty icon="key" title={text.action.needsRole('admin')} hint={text.tokens.forbidden} />
      </div>
    </Page>
  )
}

function Tokens() {
  const { tokens: text } = useText()
  const tokens = useList('listTokens', {})
  const [creating, setCreating] = useState(false)
  const add = (
    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
      {text.create}
    </Button>
  )
  return (
    <Page title={text.title} about={text.about} actions={tokens.items.length > 0 && add}>
      <Section flush>
        <Listing
          of={tokens}
          empty={
            <Empty icon="key" title={text.empty} hint={text.emptyHint}>
              {add}
            </Empty>
          }
        >
          {(items) => <TokenTable tokens={items} />}
        </Listing>
      </Section>
      {creating && <TokenDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}

function TokenTable({ tokens }: { readonly tokens: readonly TokenView[] }) {
  const { tokens: text, common } = useText()
  const { actor } = useSession()
  const columns: readonly Column<TokenView>[] = [
    {
      key: 'name',
      title: text.name,
      lead: true,
      cell: ({ name }) => (
        <span className="chips">
          <code>{name}</code>
          {actor === `token:${name}` && <span className="chip chip-ok">{text.yours}</span>}
        </span>
      ),
    },
    { key: 'owner', title: text.owner, cell: ({ owner }) => owner },
    { key: 'role', title: text.role, cell: ({ role }) => <span className="chip">{role}</span> },
    {
      key: 'expires',
      title: text.expires,
      cell: ({ expiresAt }) =>
        expiresAt === undefined ? <span className="muted">{common.never}</span> : <Expires at={expiresAt} />,
    },
    {
      key: 'created',
      title: text.created,
      cell: ({ createdAt, createdBy }) => (
        <span className="nowrap">
          <Age at={createdAt} /> <By who={createdBy} />
        </span>
      ),
    },
    { key: 'action', title: '', align: 'right', cell: (token) => <RevokeButton token={token} /> },
  ]
  return (
    <Table
      label={text.title}
      columns={columns}
      rows={tokens.toSorted((a, b) => a.name.localeCompare(b.name))}
      rowKey={({ name }) => name}
    />
  )
}

function Expires({ at }: { readonly at: number }) {
  const { tokens: text } = useText()
  if (at > Date.now()) return <Until at={at} />
  return (
    <span className="warn-text">
      {text.expired} <Until at={at} />
    </span>
  )
}

function RevokeButton({ token: { name, owner } }: { readonly token: TokenView }) {
  const { tokens: text } = useText()
  const { actor } = useSession()
  const client = useClient()
  const { busy, act } = useAction()
  const revoke = () =>
    act({
      ask: {
        title: text.revokeTitle(name),
        body: (
          <>
            <p>{text.revokeText(owner)}</p>
            {actor === `token:${name}` && <p className="warn-text">{text.revokeOwn}</p>}
          </>
        ),
        verb: text.revoke,
        danger: true,
      },
      run: () => client.call('removeToken', { params: { name } }),
      done: text.revoked(name),
    })
  return (
    <Button small kind="danger" disabled={busy} onClick={() => void revoke()} aria-label={`${text.revoke} ${name}`}>
      {text.revoke}
    </Button>
  )
}
