import { BerthError, type Node } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, State } from '../records/index.ts'
import { checkLabels } from './labels.ts'

export interface NodeChange {
  /** null removes a label. */
  readonly labels?: Readonly<Record<string, string | null>> | undefined
  readonly schedulable?: boolean | undefined
}

/** Each takes three operations and compares of a transaction. */
const forgottenPerCommit = 30

export class Nodes {
  readonly #records: Records
  readonly #state: State

  constructor(records: Records) {
    this.#records = records
    this.#state = records.state
  }

  require(name: string): Node {
    const node = this.#state.nodes.get(name)
    if (node !== undefined) return node
    throw new BerthError('node.not-found', `there is no node ${name}; see: berth node ls`, { details: { node: name } })
  }

  async update(name: string, change: NodeChange, context: CallContext): Promise<Node> {
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        const before = this.require(name)
        const labels = mergeLabels(before.labels, change.labels ?? {})
        checkLabels(labels)
        const node: Node = { ...before, labels, schedulable: change.schedulable ?? before.schedulable }
        if (JSON.stringify(node) === JSON.stringify(before)) return before
        tx.put('nodes', node, { ifUnchanged: true })
        tx.event({ type: 'node.updated', subject: { node: name }, message: describeChange(before, node) })
        return node
      },
      context,
    )
    return value
  }

  /**
   * Throws `node.in-use` while instances are assigned to it: what would become of them is not the server's to guess. Those that an
   * offline node was told to stop are forgotten with it: nobody is left to say that they have ended.
   */
  async remove(name: string, context: CallContext): Promise<void> {
    let forgotten = Number.POSITIVE_INFINITY
    while (forgotten > 0) forgotten = await this.#forgetStopped(name, context)
    await this.#records.commit(
      context.actor,
      (tx) => {
        this.require(name)
        if (this.#state.instances.byNode(name).length > 0) throw this.#inUse(name)
        tx.delete('nodes', name, { ifUnchanged: true })
        tx.delete('nodeStatuses', name)
        // A placement that is being decided compares this key, and so fails.
        tx.delete('fences', name, { ifUnchanged: true })
        tx.event({ type: 'node.removed', subject: { node: name }, message: `${name} was removed` })
      },
      context,
    )
  }

  /** Returns how many. */
  async #forgetStopped(name: string, context: CallContext): Promise<number> {
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        this.#refuseInUse(name)
        const some = this.#state.instances.byNode(name).slice(0, forgottenPerCommit)
        for (const { id } of some) {
          tx.delete('instances', id, { ifUnchanged: true })
          tx.delete('statuses', id)
        }
        const message = `${some.length} instances that ${name} was told to stop are forgotten with it`
        if (some.length > 0) tx.event({ type: 'node.instances-forgotten', subject: { node: name }, message })
        return some.length
      },
      context,
    )
    return value
  }

  #refuseInUse(name: string): void {
    this.require(name)
    const instances = this.#state.instances.byNode(name)
    const isOnline = this.#state.nodeStatuses.get(name)?.online === true
    if (instances.some((each) => isOnline || each.desired !== 'stop')) throw this.#inUse(name)
  }

  #inUse(name: string): BerthError {
    const count = this.#state.instances.byNode(name).length
    return new BerthError(
      'node.in-use',
      `remove node ${name}: ${count} ${count === 1 ? 'instance is' : 'instances are'} assigned to it; cordon it (berth node cordon ${name}) and restart their pools, so that they move`,
      { details: { node: name, instances: count } },
    )
  }
}

function mergeLabels(
  before: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged: Record<string, string | null> = { ...before, ...change }
  return Object.fromEntries(Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null))
}

function describeChange(before: Node, after: Node): string {
  const parts: string[] = []
  if (before.schedulable !== after.schedulable)
    parts.push(after.schedulable ? 'takes new instances again' : 'takes no new instances')
  for (const key of new Set([...Object.keys(before.labels), ...Object.keys(after.labels)])) {
    const value = after.labels[key]
    if (value === before.labels[key]) continue
    parts.push(value === undefined ? `label ${key} removed` : `label ${key}=${value}`)
  }
  return `${after.name}: ${parts.join(', ')}`
}
