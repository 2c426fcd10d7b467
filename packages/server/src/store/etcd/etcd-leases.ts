import { randomBytes } from 'node:crypto'
import type { Lease } from '../store.ts'
import { leaseNotFoundError, storeError } from '../store-error.ts'
import type { CallScope, EtcdClient } from './etcd-client.ts'
import { EtcdFailure } from './etcd-failure.ts'
import { calls } from './etcd-messages.ts'
import { checkLeaseId } from './etcd-transaction.ts'

/** etcd counts whole seconds, by its leader's monotonic clock. */
const second = 1_000

/** The id is chosen here, so that a grant whose answer was lost is recognized when it is asked for again. */
export async function grantLease(client: EtcdClient, ttlMs: number, scope: CallScope): Promise<Lease> {
  const id = (randomBytes(8).readBigUInt64BE() >> 1n || 1n).toString()
  try {
    const { TTL } = await client.ask(calls.leaseGrant, { TTL: Math.ceil(ttlMs / second), ID: id }, scope)
    return { id, ttlMs: TTL * second }
  } catch (error) {
    if (error instanceof EtcdFailure && error.isLeaseExisting) return keepLeaseAlive(client, id, scope)
    throw error
  }
}

export async function keepLeaseAlive(client: EtcdClient, id: string, scope: CallScope): Promise<Lease> {
  checkLeaseId(id, scope.what)
  return client.insist(scope, async () => {
    for await (const { TTL } of client.stream(calls.leaseKeepAlive, { ID: id }, scope)) {
      if (TTL <= 0) throw leaseNotFoundError(id, scope.what)
      return { id, ttlMs: TTL * second }
    }
    throw storeError('store.failed', `${scope.what}: etcd did not answer`)
  })
}

export async function revokeLease(client: EtcdClient, id: string, scope: CallScope): Promise<void> {
  checkLeaseId(id, scope.what)
  let asked = 0
  await client.insist(scope, async () => {
    asked += 1
    try {
      await client.askOnce(calls.leaseRevoke, { ID: id }, scope)
    } catch (error) {
      if (!(error instanceof EtcdFailure) || !error.isLeaseNotFound) throw error
      // An earlier attempt, whose answer was lost, may have done it.
      if (asked === 1) throw leaseNotFoundError(id, scope.what)
    }
  })
}
