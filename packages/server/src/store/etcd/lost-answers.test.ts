import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, put, revisionOf, valueAt } from '../contract/store-under-test.ts'
import type { Store } from '../store.ts'
import { CuttingProxy } from './cutting-proxy.testing.ts'
import { EtcdCluster } from './etcd-cluster.testing.ts'
import { openInEtcd } from './open-etcd.testing.ts'

let cluster: EtcdCluster

beforeAll(async () => {
  cluster = await EtcdCluster.start()
})

afterAll(() => cluster?.[Symbol.asyncDispose]())

/** A store by the proxy, and one past it. */
async function openBoth() {
  const [member = ''] = cluster.addresses
  const proxy = await CuttingProxy.start(member)
  const test = await openInEtcd([member])
  const prefix = `/berth-lost-${Math.random()}`
  const cut = await openInEtcd([proxy.address], { prefix })
  const direct = await openInEtcd([member], { prefix })
  const stack = new AsyncDisposableStack()
  for (const each of [proxy, test, direct, cut]) stack.use(each)
  return { proxy, store: cut.store, direct: direct.store, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

it('a commit whose answer is lost is found to have taken effect, at its revision', async () => {
  await using both = await openBoth()
  const { proxy, store, direct } = both
  await put(store, '/n', '0')
  proxy.mute = true
  const committing = store.commit({
    compare: [{ key: '/n', value: '0' }],
    operations: [{ type: 'put', key: '/n', value: '1' }],
  })
  await eventually(async () => (await valueAt(direct, '/n')) === '1', 'the commit arrived')
  const { kv } = await direct.get('/n')
  proxy.cut()
  expect(await committing).toEqual({ ok: true, revision: kv?.modRevision })
  expect((await direct.get('/n')).kv).toEqual(kv)
})

it('a commit that was lost on its way is made, once', async () => {
  await using both = await openBoth()
  const { proxy, store, direct } = both
  await put(store, '/n', '0')
  proxy.deaf = true
  const committing = put(store, '/n', '1')
  setTimeout(() => proxy.cut(), 200)
  const { ok, revision } = await committing
  expect(ok).toBe(true)
  expect((await direct.get('/n')).kv).toMatchObject({ value: '1', version: 2, modRevision: revision })
})

it('a refusal whose answer is lost stays a refusal', async () => {
  await using both = await openBoth()
  const { proxy, store, direct } = both
  await put(store, '/n', '0')
  proxy.mute = true
  const committing = store.commit({
    compare: [{ key: '/n', value: 'other' }],
    operations: [{ type: 'put', key: '/n', value: '1' }],
  })
  setTimeout(() => proxy.cut(), 200)
  expect((await committing).ok).toBe(false)
  expect(await valueAt(direct, '/n')).toBe('0')
})

it('counters count every acknowledged increment exactly once, while answers are lost all the time', async () => {
  await using both = await openBoth()
  const { proxy, store, direct } = both
  const cutting = setInterval(() => {
    proxy.mute = !proxy.mute
    if (!proxy.mute) proxy.cut()
  }, 60)
  try {
    const counts = await Promise.all(['/a', '/b', '/c'].map((key) => countTo(store, key, 25)))
    expect(counts).toEqual([25, 25, 25])
  } finally {
    clearInterval(cutting)
    proxy.cut()
  }
  for (const key of ['/a', '/b', '/c']) expect((await direct.get(key)).kv).toMatchObject({ value: '25', version: 25 })
})

/** Each increment says what it replaces, so one that is applied twice, or not at all, is refused. */
async function countTo(store: Store, key: string, goal: number): Promise<number> {
  let count = 0
  while (count < goal) {
    const { ok } = await store.commit({
      compare: [{ key, version: count }],
      operations: [{ type: 'put', key, value: String(count + 1) }],
    })
    if (!ok) return count
    count += 1
  }
  return count
}

it('deletions and leases survive lost answers too', async () => {
  await using both = await openBoth()
  const { proxy, store, direct } = both
  await put(store, '/d/a')
  await put(store, '/d/b')
  proxy.mute = true
  const deleting = store.commit({ operations: [{ type: 'delete-prefix', prefix: '/d/' }] })
  const granting = store.grantLease(60_000)
  setTimeout(() => proxy.cut(), 300)
  const { ok, revision } = await deleting
  expect(ok).toBe(true)
  expect(revision).toBeLessThanOrEqual(await revisionOf(direct))
  expect((await direct.list('/d/')).items).toEqual([])
  const { id } = await granting
  proxy.mute = true
  const revoking = store.revokeLease(id)
  setTimeout(() => proxy.cut(), 300)
  await revoking
})
