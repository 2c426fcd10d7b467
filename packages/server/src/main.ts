import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { BerthError } from '@berth/core'
import { openFoundation } from './compose/open-foundation.ts'
import { startControl } from './compose/start-control.ts'
import { type Edge, startEdge } from './compose/start-edge.ts'
import { defaults, type ServerConfig } from './config.ts'
import { redaction } from './log.ts'

export type { ServerConfig } from './config.ts'
export { type ConsoleFiles, directoryFiles } from './http/console-files.ts'

export interface RunOptions {
  readonly signal: AbortSignal
  /** Called once the server can be reached. */
  readonly onReady?: (edge: Edge) => void
}

/**
 * Runs a server until the signal comes, then ends calls and streams under way and closes everything in the order in which it depends on
 * each other. Nothing on a node depends on it: containers, names and gateways go on.
 *
 * The only place where adapters are made. Rejects when something cannot be opened, or when the store has failed for good: only a new
 * start helps then.
 */
export async function runServer(config: ServerConfig, { signal, onReady }: RunOptions): Promise<void> {
  const log = config.log.child({}, { redact: redaction })
  const failed = new AbortController()
  const stopping = AbortSignal.any([signal, failed.signal])
  await using stack = new AsyncDisposableStack()
  await mkdir(config.runDir ?? defaults.runDir, { recursive: true, mode: 0o755 })
  const onStoreFailure = (error: BerthError): void => {
    log.fatal({ err: error }, 'the store has failed: the server ends, so that it is started anew')
    failed.abort(error)
  }
  const foundation = await openFoundation({ config, log, stack, onStoreFailure })
  const control = await startControl({ config, foundation, log, stack })
  const edge = await startEdge({ config, foundation, control, log, stack, stopping: stoppingReason(stopping, stack) })
  onReady?.(edge)
  if (!stopping.aborted) await once(stopping, 'abort')
  log.info('the server stops')
  if (failed.signal.aborted) throw failed.signal.reason
}

/** What callers are told whose streams end with the server. */
function stoppingReason(stopping: AbortSignal, stack: AsyncDisposableStack): AbortSignal {
  const controller = new AbortController()
  const stop = (): void =>
    controller.abort(
      new BerthError('server.stopping', 'the server is stopping; try again in a moment', { retryable: true }),
    )
  stopping.addEventListener('abort', stop, { once: true })
  stack.defer(() => stopping.removeEventListener('abort', stop))
  return controller.signal
}
