import type { Answer, CallInput } from '@berth/api/client'
import { useEffect, useState } from 'react'
import { delay } from '../store/backoff.ts'
import { useClient } from '../store/context.tsx'
import type { ListName } from '../store/list-keys.ts'
import { goToLogin, needsLogin } from './session.tsx'

const everyMs = 30_000

/**
 * A listing looked at now and then, without a connection of its own: for what a page shows beside its subject. Browsers allow six
 * connections to a server over HTTP/1.1, and a page that holds them all cannot even be left. `since` changes when there is news.
 * Without `input` nothing is asked.
 */
export function useGlance<N extends ListName>(
  name: N,
  input: CallInput<N> | undefined,
  since?: string | number,
): readonly Answer<N>[] {
  const client = useClient()
  const key = JSON.stringify(input)
  const [items, setItems] = useState<readonly Answer<N>[]>([])
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the input
  useEffect(() => {
    if (input === undefined) return
    const abort = new AbortController()
    const { signal } = abort
    const look = async () => {
      while (!signal.aborted) {
        try {
          if (!document.hidden) {
            const listing = await client.list(name, input, { signal })
            if (!signal.aborted) setItems(listing.items)
          }
        } catch (error) {
          if (signal.aborted) return
          if (needsLogin(error)) return goToLogin()
          // What was seen last stays; the banner above tells of a lost connection.
        }
        await delay(everyMs, signal).catch(() => undefined)
      }
    }
    void look()
    return () => abort.abort()
  }, [client, name, key, since])
  return items
}
