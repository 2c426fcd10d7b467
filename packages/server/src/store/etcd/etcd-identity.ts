import { randomUUID } from 'node:crypto'
import type { BerthError } from '@berth/core'
import { storeError } from '../store-error.ts'
import type { CallScope, EtcdClient } from './etcd-client.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { calls, compareTarget, type Header } from './etcd-messages.ts'

/** Form of the keys below the prefix. A server that knows less refuses the store. */
export const storeForm = 1

/** What the store's own key says. */
export interface StoreIdentity {
  readonly form: number
  readonly epoch: string
  /** The etcd cluster and the raft term when it was last opened: they tell a restored snapshot. */
  readonly cluster: string
  readonly term: number
}

export interface OpenedIdentity {
  readonly identity: StoreIdentity
  readonly revision: number
  /** Why the epoch is a new one, if it is. */
  readonly renewedFor?: string
}

const attempts = 8

/**
 * Reads who the store is, and writes it once when the store is new (compare-and-swap: one of several servers wins). A snapshot that was
 * restored carries the epoch of the data it was made of, but its cluster is another one (another id, or a raft term that went back): then
 * the epoch is replaced.
 */
export async function openIdentity(
  client: EtcdClient,
  keys: EtcdKeys,
  scope: CallScope,
  newEpoch: boolean,
): Promise<OpenedIdentity> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { header, kvs } = await client.ask(calls.range, { key: keys.identity }, scope)
    const found = kvs[0]
    const identity = found === undefined ? undefined : parseIdentity(found.value.toString(), keys)
    const { next, renewedFor } = nextIdentity(identity, header, newEpoch)
    if (next === identity) return { identity: next, revision: header.revision }
    const written = await client.ask(
      calls.txn,
      {
        compare: [{ target: compareTarget.mod, key: keys.identity, mod_revision: found?.mod_revision ?? 0 }],
        success: [{ request_put: { key: keys.identity, value: Buffer.from(JSON.stringify(next)) } }],
      },
      scope,
    )
    if (written.succeeded)
      return { identity: next, revision: written.header.revision, ...(renewedFor === undefined ? {} : { renewedFor }) }
  }
  throw storeError('store.unavailable', `${scope.what}: others keep writing ${keys.identity}; try again`, {
    retryable: true,
  })
}

function nextIdentity(
  known: StoreIdentity | undefined,
  { cluster_id: cluster, raft_term: term }: Header,
  newEpoch: boolean,
): { readonly next: StoreIdentity; readonly renewedFor?: string } {
  if (known === undefined) return { next: { form: storeForm, epoch: randomUUID(), cluster, term } }
  const renewedFor =
    known.cluster !== cluster
      ? `its data came from the etcd cluster ${known.cluster}, this one is ${cluster}`
      : term < known.term
        ? `its raft term went back from ${known.term} to ${term}`
        : newEpoch
          ? 'it is filled from elsewhere'
          : undefined
  if (renewedFor !== undefined) return { next: { ...known, epoch: randomUUID(), cluster, term }, renewedFor }
  return { next: term === known.term ? known : { ...known, term } }
}

export function parseIdentity(text: string, keys: EtcdKeys): StoreIdentity {
  let identity: Partial<StoreIdentity>
  try {
    identity = JSON.parse(text)
  } catch (cause) {
    throw notOurs(keys, cause)
  }
  if (typeof identity?.form !== 'number') throw notOurs(keys)
  if (identity.form > storeForm)
    throw storeError(
      'store.newer',
      `the store at ${keys.identity} has form ${identity.form}, this server knows up to ${storeForm}; start a server at least as new as the one that wrote it`,
      { details: { form: identity.form, known: storeForm } },
    )
  if (typeof identity.epoch !== 'string') throw notOurs(keys)
  return identity as StoreIdentity
}

const notOurs = (keys: EtcdKeys, cause?: unknown): BerthError =>
  storeError(
    'store.corrupt',
    `the key ${keys.identity} of etcd is none that Berth wrote; give this cluster a prefix of its own: etcd://…/PREFIX`,
    { cause },
  )
