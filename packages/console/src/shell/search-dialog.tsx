import type { AppView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { NodeView } from '@berth/api/node-resources'
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { Icon, type IconName } from '../components/icons.tsx'
import { useText } from '../i18n/language.tsx'
import { useSession } from '../live/session.tsx'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'
import { pagesFor } from './navigation.tsx'
import { type Found, search } from './search.ts'

const icons: Readonly<Record<Found['kind'], IconName>> = {
  app: 'apps',
  pool: 'box',
  instance: 'activity',
  node: 'nodes',
  page: 'chevron',
}

/** `/`: goes to anything by a few letters of its name. */
export function SearchDialog({ onClose }: { readonly onClose: () => void }) {
  const text = useText()
  const dialog = useRef<HTMLDialogElement>(null)
  const [query, setQuery] = useState('')
  const [chosen, setChosen] = useState(0)
  const results = search(useTargets(), query)
  const listId = useId()
  useLayoutEffect(() => dialog.current?.showModal(), [])
  const go = (found: Found | undefined) => {
    if (found === undefined) return
    onClose()
    navigate(found.to)
  }
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined) {
      event.preventDefault()
      setChosen((chosen + step + results.length) % Math.max(1, results.length))
    } else if (event.key === 'Enter' && !event.nativeEvent.isComposing) go(results[chosen])
  }
  return (
    <dialog
      ref={dialog}
      className="dialog search-dialog"
      aria-label={text.search.title}
      onCancel={onClose}
      onClose={onClose}
    >
      <div className="search-field">
        <Icon name="search" />
        <input
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={`${listId}-${chosen}`}
          aria-label={text.search.title}
          placeholder={text.search.placeholder}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value)
            setChosen(0)
          }}
          onKeyDown={onKey}
        />
      </div>
      <div className="search-results" role="listbox" id={listId} aria-label={text.search.title}>
        {results.length === 0 && <p className="muted search-none">{text.search.empty}</p>}
        {results.map((found, index) => (
          <button
            type="button"
            key={found.to}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onPointerMove={() => setChosen(index)}
            onClick={() => go(found)}
          >
            <Icon name={icons[found.kind]} />
            <SearchLabel label={found.label} />
            <span className="muted">{text.search[found.kind]}</span>
          </button>
        ))}
      </div>
    </dialog>
  )
}

/** Long names keep their end, which tells them apart. */
function SearchLabel({ label }: { readonly label: string }) {
  const end = label.lastIndexOf('/') + 1
  return (
    <span className="search-label">
      <span className="search-place">{label.slice(0, end)}</span>
      <span>{label.slice(end)}</span>
    </span>
  )
}

/** Listed once when the dialog opens: search needs no connection of its own. */
function useTargets(): readonly Found[] {
  const { shell } = useText()
  const client = useClient()
  const { role } = useSession()
  const [listed, setListed] = useState<readonly Found[]>([])
  useEffect(() => {
    const abort = new AbortController()
    const options = { signal: abort.signal }
    const lists = [
      client.list('listApps', {}, options).then(({ items }) => appTargets(items)),
      client.list('listNodes', {}, options).then(({ items }) => items.map(nodeTarget)),
      client.list('listInstances', {}, options).then(({ items }) => items.map(instanceTarget)),
    ]
    // What cannot be listed just is not found; the page below tells of a lost connection.
    void Promise.allSettled(lists).then((done) => {
      if (!abort.signal.aborted) setListed(done.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])))
    })
    return () => abort.abort()
  }, [client])
  const pages = pagesFor(role)
    .filter((page) => page !== 'apps')
    .map((page): Found => ({ kind: 'page', label: shell[page], to: `/${page}` }))
  return [
    ...listed.filter((each) => each.kind !== 'instance'),
    ...pages,
    ...listed.filter((each) => each.kind === 'instance'),
  ]
}

const appTargets = (apps: readonly AppView[]): Found[] =>
  apps.flatMap((app): Found[] => [
    { kind: 'app', label: app.name, to: path('apps', app.name) },
    ...app.pools.map(
      (pool): Found => ({ kind: 'pool', label: `${app.name}/${pool.name}`, to: path('apps', app.name, pool.name) }),
    ),
  ])

const nodeTarget = ({ name }: NodeView): Found => ({ kind: 'node', label: name, to: path('nodes', name) })

const instanceTarget = ({ id, app, pool, name }: InstanceView): Found => ({
  kind: 'instance',
  label: `${app}/${pool}/${name}`,
  to: path('instances', id),
})
