import type { Logger } from 'pino'
import { FailureLimit } from '../auth/failure-limit.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { Records } from '../records/index.ts'
import type { Store } from '../store/store.ts'
import { Catalog } from './catalog.ts'
import { ConsulApi } from './consul-api.ts'
import { KeySpace } from './key-space.ts'
import { Keys } from './keys.ts'
import { Registrations } from './registrations.ts'
import { Shapes } from './shapes.ts'
import { Topics } from './topics.ts'

export interface DiscoveryParts {
  readonly records: Records
  readonly store: Store
  readonly tokens: Pick<Tokens, 'authenticate'>
  readonly silentMs: () => number
  /** When this server heard of checks of registered services. */
  readonly heard: Map<string, number>
  readonly anonymous?: 'read'
  readonly name: string
  readonly version: string
  readonly log: Logger
  readonly stack: AsyncDisposableStack
  readonly signal: AbortSignal
}

/** Services and keys as they are now, and what answers for them; it listens nowhere by itself. */
export function openDiscovery({ stack, records, anonymous, heard, ...rest }: DiscoveryParts): ConsulApi {
  const { state } = records
  const topics = new Topics(state.revision)
  const space = stack.use(new KeySpace(state, topics))
  const catalog = stack.use(
    new Catalog({ state, topics, onService: (_, before, after) => space.derive(before, after) }),
  )
  const shapes = new Shapes(state, () => topics.floor)
  const isOwnService = (service: string): boolean => catalog.names.has(service)
  return new ConsulApi({
    ...{ ...rest, state, topics, catalog, space },
    agent: {
      shapes,
      registrations: new Registrations({ records, heard, isOwnService }),
    },
    keys: new Keys({ records, space, isOwnService }),
    shapes,
    limit: new FailureLimit(),
    ...(anonymous === undefined ? {} : { anonymous }),
  })
}
