import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change, KeyValue, Store, Transaction, WatchBatch } from '../store.ts'
import { byBytes, MemoryModel } from './memory-model.ts'
import {
  changesBetween,
  expectFailure,
  type OpenStoreUnderTest,
  revisionOf,
  type StoreUnderTest,
} from './store-under-test.ts'

const names = ['a', 'a/1', 'a/é', 'a/\uffee', 'a/😀', 'b', 'b/1']
const prefixes = ['', 'a', 'a/', 'b', 'none']

/** What one compare of a generated transaction asks of a key; the numbers are filled in when it runs. */
interface Guard {
  readonly name: string
  readonly kind: 'unchanged' | 'changed' | 'missing' | 'version' | 'value'
}

type Draft = {
  readonly guards: readonly Guard[]
  readonly puts: readonly string[]
  readonly deletes: readonly string[]
  readonly deletePrefix: string | undefined
}

type Action =
  | { readonly type: 'commits'; readonly drafts: readonly Draft[] }
  | { readonly type: 'read'; readonly prefix: string; readonly age: number; readonly limit: number }
  | { readonly type: 'compact'; readonly age: number }
  | { readonly type: 'reopen' }

const name = fc.constantFrom(...names)
const guard = fc.record({ name, kind: fc.constantFrom('unchanged', 'changed', 'missing', 'version', 'value') })
const draft: fc.Arbitrary<Draft> = fc.record({
  guards: fc.array(guard, { maxLength: 2 }),
  puts: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
  deletes: fc.array(name, { maxLength: 2 }),
  deletePrefix: fc.option(fc.constantFrom('a/', 'b'), { nil: undefined, freq: 4 }),
}) as fc.Arbitrary<Draft>
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('commits'), drafts: fc.array(draft, { minLength: 1, maxLength: 5 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('read'),
      prefix: fc.constantFrom(...prefixes),
      age: fc.nat(12),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact'), age: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen') }) },
) as fc.Arbitrary<Action>

export function modelContract(open: OpenStoreUnderTest, runs: number): void {
  describe('against a model', () => {
    it('commits, reads, compactions and restarts do what a map per revision does', async () => {
      await using test = await open()
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
          const comparison = new Comparison(test, `/model-${run++}/`, await revisionOf(test.store))
          for (const one of actions) await comparison.perform(one)
          await comparison.compareHistory()
        }),
        { numRuns: process.env.BERTH_TEST_LONG === '1' ? 60 : runs, endOnFailure: true },
      )
    })
  })
}

class Comparison {
  readonly #test: StoreUnderTest
  readonly #root: string
  readonly #model: MemoryModel
  #oldest: number
  /** By this run, so that the store agrees with `#oldest`. */
  #compacted = false
  #values = 0

  constructor(test: StoreUnderTest, root: string, revision: number) {
    this.#test = test
    this.#root = root
    this.#model = new MemoryModel(revision)
    this.#oldest = revision
  }

  get #store(): Store {
    return this.#test.store
  }

  async perform(action: Action): Promise<void> {
    if (action.type === 'commits') await this.#commit(action.drafts.map((one) => this.#transactionOf(one)))
    else if (action.type === 'read') await this.#read(action)
    else if (action.type === 'compact') await this.#compact(this.#model.revision - action.age)
    else await this.#test.reopen()
  }

  /**
   * All at once. Whatever order the store chose, it says it in the revisions: those that succeeded (each puts something, so
   * each has its own) must do so one after the other, and each that was refused must be wrong at the revision it names.
   */
  async #commit(transactions: readonly Transaction[]): Promise<void> {
    const results = await Promise.all(transactions.map((transaction) => this.#store.commit(transaction)))
    const outcomes = results.map((result, index) => ({ ...result, transaction: transactions[index] as Transaction }))
    for (const { revision, transaction } of outcomes.filter(({ ok }) => ok).sort((a, b) => a.revision - b.revision)) {
      expect(revision).toBe(this.#model.revision + 1)
      expect(this.#model.holds(transaction, revision - 1)).toBe(true)
      this.#model.apply(transaction)
    }
    for (const { revision, transaction } of outcomes.filter(({ ok }) => !ok))
      expect(this.#model.holds(transaction, revision)).toBe(false)
  }

  async #read({ prefix, age, limit }: Extract<Action, { type: 'read' }>): Promise<void> {
    const revision = Math.max(this.#model.revision - age, this.#oldest - 1)
    const below = this.#root + prefix
    if (revision < this.#oldest) {
      if (this.#compacted) await expectFailure(() => this.#store.list(below, { revision }), 'store.compacted')
      return
    }
    const expected = [...this.#model.at(revision).values()]
      .filter(({ key }) => key.startsWith(below))
      .sort((a, b) => byBytes(a.key, b.key))
    expect(await this.#pages(below, revision, limit)).toEqual(expected)
    expect(await this.#store.list(below)).toMatchObject({ revision: this.#model.revision })
    const key = this.#root + (names[age % names.length] as string)
    expect((await this.#store.get(key)).kv).toEqual(this.#model.at(this.#model.revision).get(key))
  }

  async #pages(prefix: string, revision: number, limit: number): Promise<KeyValue[]> {
    const items: KeyValue[] = []
    let after: string | undefined
    do {
      const page = await this.#store.list(prefix, { revision, limit, ...(after === undefined ? {} : { after }) })
      items.push(...page.items)
      after = page.next
    } while (after !== undefined)
    return items
  }

  async #compact(revision: number): Promise<void> {
    if (revision <= this.#oldest) return
    await this.#store.compact(revision)
    this.#oldest = revision
    this.#compacted = true
  }

  async compareHistory(): Promise<void> {
    const to = this.#model.revision
    for (const prefix of prefixes) {
      const below = this.#root + prefix
      const found = await changesBetween(this.#store, below, this.#oldest + 1, to)
      const expected = this.#model.history(below, this.#oldest + 1)
      expect(found.map((batch) => withoutPrevious(batch))).toEqual(expected.map((batch) => withoutPrevious(batch)))
      this.#comparePrevious(
        found.flatMap(({ changes }) => changes),
        expected.flatMap(({ changes }) => changes),
      )
    }
  }

  /** What a change replaced may be missing only if it is compacted. */
  #comparePrevious(found: readonly Change[], expected: readonly Change[]): void {
    for (const [index, { previous }] of found.entries()) {
      const replaced = expected[index]?.previous
      if (previous || !replaced || replaced.modRevision >= this.#oldest) expect(previous).toEqual(replaced)
    }
  }

  #transactionOf({ guards, puts, deletes, deletePrefix }: Draft): Transaction {
    const state = this.#model.at(this.#model.revision)
    const put = puts.map((one) => this.#root + one)
    const doomed = deletes.map((one) => this.#root + one).filter((key) => !put.includes(key))
    const prefix = deletePrefix === undefined ? undefined : this.#root + deletePrefix
    const usable = prefix !== undefined && put.every((key) => !key.startsWith(prefix))
    return {
      compare: guards.map((one) => compareOf(one, this.#root + one.name, state)),
      operations: [
        ...put.map((key) => ({ type: 'put' as const, key, value: String(this.#values++) })),
        ...doomed.map((key) => ({ type: 'delete' as const, key })),
        ...(usable ? [{ type: 'delete-prefix' as const, prefix }] : []),
      ],
    }
  }
}

function compareOf({ kind }: Guard, key: string, state: ReadonlyMap<string, KeyValue>) {
  const kv = state.get(key)
  switch (kind) {
    case 'unchanged':
      return { key, modRevision: kv?.modRevision ?? 0 }
    case 'changed':
      return { key, modRevision: (kv?.modRevision ?? 0) + 1 }
    case 'missing':
      return { key, version: 0 }
    case 'version':
      return { key, version: kv?.version ?? 0 }
    case 'value':
      return { key, value: kv?.value ?? '' }
  }
}

const withoutPrevious = ({ revision, changes }: WatchBatch): WatchBatch => ({
  revision,
  changes: changes.map(({ previous: _, ...change }) => change as Change),
})
