import type { Answer, CallInput } from '@berth/api/client'
import type { EndpointName, Endpoints } from '@berth/api/endpoints'
import { useEffect, useState } from 'react'
import { useClient } from '../store/context.tsx'
import { goToLogin, needsLogin } from './session.tsx'

type JsonName = { [N in EndpointName]: Endpoints[N]['transport'] extends 'json' ? N : never }[EndpointName]

export interface One<T> {
  readonly value: T | undefined
  readonly error: unknown
}

/** One document, asked for once, and again when `since` changes; live pages take it as the start, and then follow the listing that holds it. */
export function useOne<N extends JsonName>(name: N, input: CallInput<N> | undefined, since = 0): One<Answer<N>> {
  const client = useClient()
  const key = `${name} ${since} ${JSON.stringify(input)}`
  const [state, setState] = useState<One<Answer<N>> & { readonly key: string }>({
    key,
    value: undefined,
    error: undefined,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for name and input
  useEffect(() => {
    if (input === undefined) return
    const abort = new AbortController()
    client.call(name, input, { signal: abort.signal }).then(
      (value) => setState({ key, value, error: undefined }),
      (error: unknown) => {
        if (abort.signal.aborted) return
        if (needsLogin(error)) goToLogin()
        setState({ key, value: undefined, error })
      },
    )
    return () => abort.abort()
  }, [client, key])
  return state.key === key ? state : { value: undefined, error: undefined }
}
