import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { changesBetween, expectFailure, type OpenStoreUnderTest, put, remove, revisionOf } from './store-under-test.ts'

const rounds = 4
const acknowledgedPerRound = [40, 400, 100, 250]

export function durabilityContract(open: OpenStoreUnderTest): void {
  describe('durability', () => {
    it('keeps values, revisions, history and epoch over a restart', async () => {
      await using test = await open()
      const { epoch } = test.store
      const start = await revisionOf(test.store)
      for (let index = 0; index < 10; index++) await put(test.store, `/d/${index % 4}`, String(index))
      await remove(test.store, '/d/3')
      await test.store.compact(start + 2)
      const state = await test.store.list('/d/')
      const history = await changesBetween(test.store, '/d/', start + 3, state.revision)

      const store = await test.reopen()
      expect(store.epoch).toBe(epoch)
      expect(await store.list('/d/')).toEqual(state)
      expect(await changesBetween(store, '/d/', start + 3, state.revision)).toEqual(history)
      await expectFailure(() => store.list('/d/', { revision: start + 1 }), 'store.compacted')
      expect(await put(store, '/d/next')).toEqual({ ok: true, revision: state.revision + 1 })
    })

    it('has everything it acknowledged after kill -9 in the middle of commits', async () => {
      await using test = await open()
      const acknowledged = new Map<string, number>()
      for (let round = 0; round < rounds; round++) {
        await writeAndKill(test, acknowledgedPerRound[round] as number, acknowledged)
        const store = await test.reopen()
        const { items, revision } = await store.list('/crash/')
        const found = new Map(items.map(({ key, modRevision }) => [key, modRevision]))
        expect([...acknowledged].filter(([key, at]) => found.get(key) !== at)).toEqual([])
        expect(items.every(({ key, value }) => Number(key.slice('/crash/'.length)) === Number(value))).toBe(true)
        const last = (await store.get('/crash-last')).kv
        expect(last).toMatchObject({ modRevision: revision, value: newest(found) })
      }
      expect(acknowledged.size).toBeGreaterThan(700)
    })
  })
}

const newest = (found: ReadonlyMap<string, number>): string | undefined =>
  [...found].reduce((last, one) => (one[1] > last[1] ? one : last), ['', 0])[0]

async function writeAndKill(
  test: Awaited<ReturnType<OpenStoreUnderTest>>,
  atLeast: number,
  acknowledged: Map<string, number>,
): Promise<void> {
  const writer = await test.startWriter()
  const exit = once(writer, 'exit')
  const until = acknowledged.size + atLeast
  for await (const line of createInterface({ input: writer.stdout as NodeJS.ReadableStream })) {
    const [key, revision] = line.split(' ')
    if (key) acknowledged.set(key, Number(revision))
    if (acknowledged.size >= until) writer.kill('SIGKILL')
  }
  const [, signal] = await exit
  expect(signal).toBe('SIGKILL')
}
