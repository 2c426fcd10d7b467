import type { Answer, CallInput } from '@berth/api/client'
import type { EndpointName, Endpoints } from '@berth/api/endpoints'
import { useEffect, useState } from 'react'
import { delay } from '../store/backoff.ts'
import { useClient } from '../store/context.tsx'
import { goToLogin, needsLogin } from './session.tsx'

type JsonName = { [N in EndpointName]: Endpoints[N]['transport'] extends 'json' ? N : never }[EndpointName]

export interface Polled<T> {
  /** What was answered last; it stays when a later question fails. */
  readonly value: T | undefined
  readonly error: unknown
  /** When that was. */
  readonly at?: number | undefined
}

/**
 * A document that has no listing to follow: asked for again and again while somebody sees it. `since` changes when there is news. Without
 * `input` nothing is asked.
 */
export function usePolled<N extends JsonName>(
  name: N,
  input: CallInput<N> | undefined,
  everyMs: number,
  since?: string | number,
): Polled<Answer<N>> {
  const client = useClient()
  const key = `${name} ${JSON.stringify(input)}`
  const [state, setState] = useState<Polled<Answer<N>> & { readonly key: string }>({
    key,
    value: undefined,
    error: undefined,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for name and input
  useEffect(() => {
    if (input === undefined) return
    const abort = new AbortController()
    const { signal } = abort
    const ask = async () => {
      while (!signal.aborted) {
        try {
          if (!document.hidden) {
            const value = await client.call(name, input, { signal })
            if (!signal.aborted) setState({ key, value, error: undefined, at: Date.now() })
          }
        } catch (error) {
          if (signal.aborted) return
          if (needsLogin(error)) return goToLogin()
          setState((before) => (before.key === key ? { ...before, error } : { key, value: undefined, error }))
        }
        await delay(everyMs, signal).catch(() => undefined)
      }
    }
    void ask()
    return () => abort.abort()
  }, [client, key, everyMs, since])
  return state.key === key ? state : { value: undefined, error: undefined }
}
