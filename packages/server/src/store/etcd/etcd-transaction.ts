import type { Compare, Operation } from '../store.ts'
import { leaseNotFoundError } from '../store-error.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { compareTarget, type EtcdCompare, type RequestOp } from './etcd-messages.ts'

export function toEtcdCompare(compare: Compare, keys: EtcdKeys): EtcdCompare {
  const key = keys.data(compare.key)
  if ('version' in compare) return { target: compareTarget.version, key, version: compare.version }
  if ('modRevision' in compare) return { target: compareTarget.mod, key, mod_revision: compare.modRevision }
  return { target: compareTarget.value, key, value: Buffer.from(compare.value) }
}

export function toEtcdOperation(operation: Operation, keys: EtcdKeys): RequestOp {
  switch (operation.type) {
    case 'put': {
      const { key, value, lease } = operation
      return {
        request_put: {
          key: keys.data(key),
          value: Buffer.from(value),
          ...(lease === undefined ? {} : { lease: checkLeaseId(lease, `put ${key}`) }),
        },
      }
    }
    case 'delete':
      return { request_delete_range: { key: keys.data(operation.key) } }
    case 'delete-prefix':
      return { request_delete_range: keys.dataBelow(operation.prefix) }
  }
}

const maxLeaseId = 2n ** 63n - 1n

/** Ids of another form were given by another store. */
export function checkLeaseId(id: string, what: string): string {
  if (!/^[1-9]\d{0,18}$/.test(id) || BigInt(id) > maxLeaseId) throw leaseNotFoundError(id, what)
  return id
}
