import type { Answer, CallInput } from '@berth/api/client'
import { createContext, useCallback, useContext, useMemo, useSyncExternalStore } from 'react'
import { calm } from './calm.ts'
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

/** What is drawn of so many takes a moment: drawing it for each of a thousand changes would leave none for anything else. */
const many = 500
const pauseMs = 250

/** A live listing. Without `input` nothing is asked. */
export function useList<N extends ListName>(name: N, input: CallInput<N> | undefined): Snapshot<Answer<N>> {
  const store = useStore()
  const text = input === undefined ? undefined : JSON.stringify(input)
  const stable = useMemo(() => (text === undefined ? undefined : (JSON.parse(text) as CallInput<N>)), [text])
  const subscribe = useCallback(
    (listener: () => void) => {
      if (stable === undefined) return () => undefined
      const { notify, stop } = calm(listener, () => (store.snapshot(name, stable).items.length > many ? pauseMs : 0))
      const unsubscribe = store.subscribe(name, stable, notify)
      return () => {
        unsubscribe()
        stop()
      }
    },
    [store, name, stable],
  )
  return useSyncExternalStore(subscribe, () => (stable === undefined ? nothing : store.snapshot(name, stable)))
}

export function useConnection(): Connection {
  const store = useStore()
  return useSyncExternalStore(store.onConnection, () => store.connection)
}
