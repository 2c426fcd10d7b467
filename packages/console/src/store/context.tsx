import type { Answer, CallInput } from '@berth/api/client'
import { createContext, useCallback, useContext, useMemo, useSyncExternalStore } from 'react'
import type { Snapshot } from './collection.ts'
import type { ListName } from './list-keys.ts'
import type { Connection, Store } from './store.ts'

export const StoreContext = createContext<Store | undefined>(undefined)

export function useStore(): Store {
  const store = useContext(StoreContext)
  if (store === undefined) throw new Error('useStore needs a StoreContext above it')
  return store
}

export const useClient = (): Store['client'] => useStore().client

const nothing: Snapshot<never> = { items: [], state: 'loading', error: undefined }

/** A live listing. Without `input` nothing is asked. */
export function useList<N extends ListName>(name: N, input: CallInput<N> | undefined): Snapshot<Answer<N>> {
  const store = useStore()
  const text = input === undefined ? undefined : JSON.stringify(input)
  const stable = useMemo(() => (text === undefined ? undefined : (JSON.parse(text) as CallInput<N>)), [text])
  const subscribe = useCallback(
    (listener: () => void) => (stable === undefined ? () => undefined : store.subscribe(name, stable, listener)),
    [store, name, stable],
  )
  return useSyncExternalStore(subscribe, () => (stable === undefined ? nothing : store.snapshot(name, stable)))
}

export function useConnection(): Connection {
  const store = useStore()
  return useSyncExternalStore(store.onConnection, () => store.connection)
}
