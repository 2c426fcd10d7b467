import { expect, it } from 'vitest'
import { changesBetween, eventually, put, revisionOf } from '../contract/store-under-test.ts'
import type { Store } from '../store.ts'
import { EtcdCluster } from './etcd-cluster.testing.ts'
import { openInEtcd } from './open-etcd.testing.ts'

/** Writes from several sides until told to stop; the promise has what was acknowledged, and any error that a caller saw. */
function writeUntil(store: Store, stop: AbortSignal) {
  const acknowledged = new Map<string, number>()
  const errors: unknown[] = []
  const writeOnes = async (writer: number): Promise<void> => {
    for (let index = 0; !stop.aborted; index++) {
      const key = `/w/${writer}-${index}`
      try {
        const { revision } = await put(store, key, String(index))
        acknowledged.set(key, revision)
      } catch (error) {
        errors.push(error)
      }
    }
  }
  return { acknowledged, errors, done: Promise.all([0, 1, 2, 3].map(writeOnes)) }
}

/** Follows a prefix, and keeps the revision of every change. */
function follow(store: Store, fromRevision: number, signal: AbortSignal) {
  const seen: { readonly key: string; readonly revision: number }[] = []
  const done = (async () => {
    for await (const { revision, changes } of store.watch('/w/', { fromRevision, signal }))
      for (const change of changes) seen.push({ key: change.type === 'put' ? change.kv.key : change.key, revision })
  })()
  return { seen, done }
}

async function expectNothingLost(
  store: Store,
  start: number,
  acknowledged: ReadonlyMap<string, number>,
  seen: readonly { readonly key: string; readonly revision: number }[],
): Promise<void> {
  const { items, revision } = await store.list('/w/')
  const found = new Map(items.map(({ key, modRevision }) => [key, modRevision]))
  expect([...acknowledged].filter(([key, at]) => found.get(key) !== at)).toEqual([])
  expect(items.every(({ version }) => version === 1)).toBe(true)
  await eventually(() => seen.length >= items.length, 'the watch has seen everything')
  const expected = items.map(({ key, modRevision }) => ({ key, revision: modRevision }))
  expect(seen).toEqual(expected.sort((a, b) => a.revision - b.revision))
  const again = await changesBetween(store, '/w/', start, revision)
  expect(again.length).toBe(items.length)
}

it('whichever member is killed, no caller sees an error, nothing acknowledged is lost, watches neither skip nor repeat', async () => {
  await using cluster = await EtcdCluster.start({ members: 3 })
  await using test = await openInEtcd(cluster.addresses)
  const { store } = test
  const start = (await revisionOf(store)) + 1
  const stop = new AbortController()
  const watching = new AbortController()
  const watch = follow(store, start, watching.signal)
  const writing = writeUntil(store, stop.signal)
  const progress = async (what: string) => {
    const enough = writing.acknowledged.size + 40
    await eventually(() => writing.acknowledged.size >= enough, what)
  }
  await progress('commits before anything happens')
  for (const kill of ['leader', 0, 1, 2] as const) {
    const member = kill === 'leader' ? await cluster.leader() : cluster.members[kill]
    await member?.kill()
    await progress(`commits without member ${kill}`)
    member?.start()
    await cluster.healthy()
    await progress(`commits with member ${kill} again`)
  }
  stop.abort()
  await writing.done
  expect(writing.errors).toEqual([])
  await expectNothingLost(store, start, writing.acknowledged, watch.seen)
  watching.abort()
  await watch.done
}, 120_000)

it('a member that is frozen is left for another', async () => {
  await using cluster = await EtcdCluster.start({ members: 3 })
  await using test = await openInEtcd(cluster.addresses)
  const { store } = test
  await put(store, '/w/before')
  const [first] = cluster.members
  first?.freeze()
  try {
    await put(store, '/w/frozen')
    const { items } = await store.list('/w/')
    expect(items.map(({ key }) => key)).toEqual(['/w/before', '/w/frozen'])
  } finally {
    first?.thaw()
  }
}, 60_000)

it('all members down: errors that say so and that nothing was changed; all back: everything goes on', async () => {
  await using cluster = await EtcdCluster.start({ members: 3 })
  await using test = await openInEtcd(cluster.addresses, { commitWithinMs: 8_000 })
  const { store } = test
  const start = await revisionOf(store)
  const watching = new AbortController()
  const watch = follow(store, start + 1, watching.signal)
  await put(store, '/w/before')
  await Promise.all(cluster.members.map((member) => member.kill()))
  const failing = put(store, '/w/lost')
  await expect(failing).rejects.toMatchObject({ code: 'store.unavailable', retryable: true })
  for (const member of cluster.members) member.start()
  await cluster.healthy()
  await put(store, '/w/after')
  await eventually(() => watch.seen.length === 2, 'the watch goes on')
  expect(watch.seen.map(({ key }) => key)).toEqual(['/w/before', '/w/after'])
  watching.abort()
  await watch.done
}, 120_000)
