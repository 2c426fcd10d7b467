import { connect } from 'node:net'
import type { ReachTarget } from '@berth/api'

const timeoutMs = 2_000

/** Which of the addresses answer: a connection refused is an answer too, for somebody has to be there to refuse it. */
export async function reach(
  targets: readonly ReachTarget[],
  { signal }: { readonly signal: AbortSignal },
): Promise<ReachTarget[]> {
  const answers = await Promise.all(targets.map((target) => isThere(target, signal)))
  return targets.filter((_, index) => answers[index])
}

function isThere({ address, port }: ReachTarget, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host: address, port, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
  socket.once('connect', () => resolve(true))
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  return promise.finally(() => socket.destroy())
}
