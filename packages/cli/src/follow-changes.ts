import type { Answer, CallInput, EndpointName, Endpoints, WatchEvent } from '@berth/api'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'
import { streamOverRestarts } from './reconnect.ts'

type ListName = { [N in EndpointName]: Endpoints[N]['transport'] extends 'list' ? N : never }[EndpointName]

/** Changes after `revision`, over restarts and at whichever server: what has come is not asked for again. */
export async function* followChanges<N extends ListName>(
  context: Pick<CommandContext, 'client' | 'out' | 'signal' | 'servers'>,
  what: string,
  name: N,
  { revision, ...input }: CallInput<N> & { readonly revision: number },
): AsyncGenerator<WatchEvent<Answer<N>>> {
  const { client, signal } = context
  let seen = revision
  yield* streamOverRestarts(context, what, async function* () {
    const query = { ...input, revision: seen } as unknown as CallInput<N> & { readonly revision: number }
    for await (const event of client.watch(name, query, { signal })) {
      yield event
      // Up to a mark everything has come; between two, more of the same revision may follow.
      if (event.type === 'mark') seen = event.revision
    }
    throw new BerthError('server.gone', `the server closed the connection; ${what} goes on`, { retryable: true })
  })
}
