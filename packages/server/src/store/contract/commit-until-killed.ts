import type { Store } from '../store.ts'

/**
 * Writes keys below `/crash/`, in groups, forever; prints `KEY REVISION` when a commit is acknowledged and not before. The
 * test kills this process and looks whether all that was printed is there.
 */
export async function commitUntilKilled(store: Store): Promise<never> {
  const start = (await store.list('/crash/')).items.length
  for (let written = start; ; written += 16)
    await Promise.all(Array.from({ length: 16 }, (_, index) => commitOne(store, written + index)))
}

async function commitOne(store: Store, number: number): Promise<void> {
  const key = `/crash/${String(number).padStart(8, '0')}`
  const operations = [
    { type: 'put' as const, key, value: String(number) },
    { type: 'put' as const, key: '/crash-last', value: key },
  ]
  const { revision } = await store.commit({ operations })
  process.stdout.write(`${key} ${revision}\n`)
}
