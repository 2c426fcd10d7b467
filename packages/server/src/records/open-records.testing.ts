import { pino } from 'pino'
import { openTemporary } from '../store/sqlite/open-temporary.testing.ts'
import type { Store } from '../store/store.ts'
import { openState } from './open-state.ts'
import { Records } from './records.ts'
import type { State } from './state.ts'

export interface RecordsUnderTest extends AsyncDisposable {
  readonly store: Store
  readonly state: State
  readonly records: Records
}

/** Records over a real store in a folder of its own. */
export async function openTemporaryRecords(options: { readonly now?: () => number } = {}): Promise<RecordsUnderTest> {
  const temporary = await openTemporary()
  const { store } = temporary
  const state = await openState(store, { log: pino({ level: 'silent' }) })
  const records = new Records(store, state, { ...options, processTag: 'test' })
  return {
    store,
    state,
    records,
    async [Symbol.asyncDispose]() {
      await state[Symbol.asyncDispose]()
      await temporary[Symbol.asyncDispose]()
    },
  }
}
