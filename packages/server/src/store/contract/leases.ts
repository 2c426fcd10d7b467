import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  changesBetween,
  eventually,
  expectFailure,
  failureOf,
  type OpenStoreUnderTest,
  put,
  revisionOf,
  valueAt,
} from './store-under-test.ts'

/** Adapters may grant more: only the granted time counts. */
const shortTtlMs = 400
const longTtlMs = 600_000

export function leaseContract(open: OpenStoreUnderTest): void {
  describe('leases', () => {
    expiryContract(open)

    it('delete their keys in one transaction when revoked', async () => {
      await using test = await open()
      const { store } = test
      const { id } = await store.grantLease(longTtlMs)
      for (const key of ['/l/a', '/l/b']) await put(store, key, '{}', id)
      expect((await store.get('/l/a')).kv?.lease).toBe(id)
      const { revision } = await put(store, '/l/free')
      await store.revokeLease(id)
      expect((await store.list('/l/')).items.map(({ key }) => key)).toEqual(['/l/free'])
      const [batch, ...more] = await changesBetween(store, '/l/', revision + 1, await revisionOf(store))
      expect(more).toEqual([])
      expect(batch?.changes).toMatchObject([
        { type: 'delete', key: '/l/a' },
        { type: 'delete', key: '/l/b' },
      ])
    })

    it('hold a key only until it is put without them', async () => {
      await using test = await open()
      const { store } = test
      const { id } = await store.grantLease(longTtlMs)
      const { id: other } = await store.grantLease(longTtlMs)
      await put(store, '/l/a', '1', id)
      await put(store, '/l/b', '1', id)
      await put(store, '/l/a', '2')
      await put(store, '/l/b', '2', other)
      await store.revokeLease(id)
      expect(await valueAt(store, '/l/a')).toBe('2')
      expect((await store.get('/l/b')).kv).toMatchObject({ value: '2', lease: other })
    })

    it('are not found once they ended', async () => {
      await using test = await open()
      const { store } = test
      const { id } = await store.grantLease(longTtlMs)
      await store.revokeLease(id)
      await expectFailure(() => store.revokeLease(id), 'store.lease-not-found')
      await expectFailure(() => store.keepLeaseAlive(id), 'store.lease-not-found')
      await expectFailure(() => put(store, '/l/a', '{}', id), 'store.lease-not-found')
    })

    it.each([0, -1, 1.5, Number.NaN])('are not granted for %s ms', async (ttlMs) => {
      await using test = await open()
      await expectFailure(() => test.store.grantLease(ttlMs), 'store.invalid')
    })

    it('are given back when nobody waits for them any more', async () => {
      await using test = await open()
      const { store } = test
      const reason = new Error('gone')
      const controller = new AbortController()
      const granting = failureOf(() => store.grantLease(longTtlMs, { signal: controller.signal }))
      controller.abort(reason)
      expect(await granting).toBe(reason)
    })
  })
}

function expiryContract(open: OpenStoreUnderTest): void {
  it('end by themselves when nobody keeps them alive', async () => {
    await using test = await open()
    const { store } = test
    const { id, ttlMs } = await store.grantLease(shortTtlMs)
    const grantedAtMs = performance.now()
    expect(ttlMs).toBeGreaterThanOrEqual(shortTtlMs)
    await put(store, '/l/a', '{}', id)
    await eventually(async () => (await valueAt(store, '/l/a')) === undefined, 'the key of an ended lease is gone')
    expect(performance.now() - grantedAtMs).toBeGreaterThan(ttlMs - 50)
    await expectFailure(() => store.keepLeaseAlive(id), 'store.lease-not-found')
  })

  it('last as long as they are kept alive', async () => {
    await using test = await open()
    const { store } = test
    const { id, ttlMs } = await store.grantLease(shortTtlMs)
    await put(store, '/l/a', '{}', id)
    for (let part = 0; part < 12; part++) {
      expect(await store.keepLeaseAlive(id)).toEqual({ id, ttlMs })
      await sleep(ttlMs / 5)
    }
    expect(await valueAt(store, '/l/a')).toBe('{}')
    await eventually(async () => (await valueAt(store, '/l/a')) === undefined, 'the key of an ended lease is gone')
  })

  it('have their whole time again after a start, and then end', async () => {
    await using test = await open()
    const { id, ttlMs } = await test.store.grantLease(shortTtlMs)
    await put(test.store, '/l/a', '{}', id)
    const store = await test.reopen()
    expect(await valueAt(store, '/l/a')).toBe('{}')
    expect(await store.keepLeaseAlive(id)).toEqual({ id, ttlMs })
    await eventually(async () => (await valueAt(store, '/l/a')) === undefined, 'the key of an ended lease is gone')
  })
}
