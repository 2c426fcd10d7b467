import type { CallScope, EtcdClient } from './etcd-client.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { calls, compareTarget } from './etcd-messages.ts'

const pageItems = 100

/**
 * Deletes the slots that nobody wrote since `revision`: their servers ended. Should one of them only have been idle, it finds its slot gone
 * and takes another. Several servers may do this at once.
 */
export async function deleteOldSlots(
  client: EtcdClient,
  keys: EtcdKeys,
  revision: number,
  scope: CallScope,
): Promise<void> {
  const old = { ...keys.slots, keys_only: true, limit: pageItems, max_mod_revision: revision }
  for (;;) {
    const { kvs, more } = await client.ask(calls.range, old, scope)
    if (kvs.length === 0) return
    await Promise.all(
      kvs.map(({ key, mod_revision }) =>
        client.ask(
          calls.txn,
          {
            compare: [{ target: compareTarget.mod, key, mod_revision }],
            success: [{ request_delete_range: { key } }],
          },
          scope,
        ),
      ),
    )
    if (!more) return
  }
}
