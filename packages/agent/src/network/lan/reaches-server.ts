import { once } from 'node:events'
import { connect } from 'node:net'
import type { ServerAddress } from '@berth/api'

const limitMs = 2_000

/** Whether one of them takes a connection made now: one that stands says nothing of the way there. */
export async function reachesServer(
  servers: readonly ServerAddress[],
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const limit = AbortSignal.timeout(limitMs)
  const ending = signal === undefined ? limit : AbortSignal.any([limit, signal])
  const attempts = servers.map(async ({ host, port }) => {
    const socket = connect({ host, port })
    try {
      await once(socket, 'connect', { signal: ending })
    } finally {
      socket.destroy()
    }
  })
  return await Promise.any(attempts).then(
    () => true,
    () => false,
  )
}
