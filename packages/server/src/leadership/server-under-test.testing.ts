import { randomUUID } from 'node:crypto'
import { type MemberRecord, openState, Records, type State } from '../records/index.ts'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import type { Store } from '../store/store.ts'
import { FaultyStore } from './faulty-store.testing.ts'
import { Leadership, type LeadershipOptions } from './leadership.ts'
import type { Role } from './role.ts'
import type { LeaseTimes } from './session.ts'
import type { Term } from './term.ts'

/** Whatever the adapter grants at least, and a little for a busy machine. */
export const testTimes: LeaseTimes = { ttlMs: 1_000, keepAliveMs: 150, marginMs: 150 }

/** What one server did in a role. */
export interface Served {
  readonly server: string
  readonly term: Term
  readonly from: number
  /** When what it did was disposed. */
  until?: number
}

export interface LeadingServer extends AsyncDisposable {
  readonly name: string
  readonly store: FaultyStore
  readonly state: State
  readonly records: Records
  readonly leadership: Leadership
}

export interface JoinOptions extends Partial<Pick<LeadershipOptions, 'clock' | 'times' | 'alone' | 'random'>> {
  readonly version?: string
  readonly roles?: readonly Role[]
  readonly served?: Served[]
}

/** One server's worth of state, records and leadership, as several have on one store. */
export async function joinServer(store: Store, name: string, options: JoinOptions = {}): Promise<LeadingServer> {
  const { version = '0.1.0', roles = ['cluster'], served = [], alone = false, ...rest } = options
  const faulty = new FaultyStore(store)
  const state = await openState(faulty, { log: silent })
  const member: MemberRecord = { name, run: randomUUID(), version, startedAt: Date.now() }
  const shared = { store: faulty, state, member, alone, log: silent, times: testTimes, ...rest }
  const leadership = await Leadership.join(shared).catch(async (error: unknown) => {
    await state[Symbol.asyncDispose]()
    throw error
  })
  for (const role of roles) {
    await leadership.hold(role, (term, stack) => {
      const entry: Served = { server: name, term, from: performance.now() }
      served.push(entry)
      stack.defer(() => {
        entry.until = performance.now()
      })
    })
  }
  return {
    ...{ name, store: faulty, state, leadership, records: new Records(faulty, state) },
    async [Symbol.asyncDispose]() {
      await leadership[Symbol.asyncDispose]()
      await state[Symbol.asyncDispose]()
    },
  }
}
