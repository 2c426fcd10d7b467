import type { Logger } from 'pino'
import { FailureLimit } from '../auth/failure-limit.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { Records } from '../records/index.ts'
import type { Store } from '../store/store.ts'
import { Catalog } from './catalog.ts'
import { ConsulApi } from './consul-api.ts'
import { KeySpace } from './key-space.ts'
import { Keys } from './keys.ts'
import { Shapes } from './shapes.ts'
import { Topics } from './topics.ts'

export interface DiscoveryParts {
  readonly records: Records
  readonly store: Store
  readonly tokens: Pick<Tokens, 'authenticate'>
  readonly silentMs: () => number
  readonly anonymous?: 'read'
  readonly name: string
  readonly version: string
  readonly log: Logger
  readonly stack: AsyncDisposableStack
  readonly signal: AbortSignal
}

/** Services and keys as they are now, and what answers for them; it listens nowhere by itself. */
export function openDiscovery({ stack, records, anonymous, ...rest }: DiscoveryParts): ConsulApi {
  const { state } = records
  const topics = new Topics(state.revision)
  const space = stack.use(new KeySpace(state, topics))
  const catalog = stack.use(
    new Catalog({ state, topics, onService: (_, before, after) => space.derive(before, after) }),
  )
  return new ConsulApi({
    ...{ ...rest, state, topics, catalog, space },
    keys: new Keys({ records, space, isOwnService: (service) => catalog.names.has(service) }),
    shapes: new Shapes(state, () => topics.floor),
    limit: new FailureLimit(),
    ...(anonymous === undefined ? {} : { anonymous }),
  })
}
