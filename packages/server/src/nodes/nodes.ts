import { isDeepStrictEqual } from 'node:util'
import { BerthError, lanOf, type Node } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import { groupOfNode, isHeld } from '../groups/group-use.ts'
import { requireGroup } from '../groups/groups.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import { requireFreeAddress } from './address.ts'
import { changedNode, describeChange, type NodeChange } from './node-change.ts'

const told = 5

/** The first of them, for people. */
const someOf = (ids: readonly string[]): string =>
  [...ids.slice(0, told), ...(ids.length > told ? [`${ids.length - told} more`] : [])].join(', ')

const moveOf = (name: string) => (other: string) =>
  `give the address of the machine of ${name}, or that of ${other} first`

/** Each takes three operations and compares of a transaction. */
const forgottenPerCommit = 30

export class Nodes {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
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
        const node = changedNode(before, change)
        this.#checkGroup(tx, before, node)
        if (node.address !== before.address) {
          requireFreeAddress(this.#state, node, moveOf(name))
          this.#checkHostNetwork(node)
        }
        if (isDeepStrictEqual(node, before)) return before
        tx.put('nodes', node, { ifUnchanged: true })
        tx.event({ type: 'node.updated', subject: { node: name }, message: describeChange(before, node) })
        return node
      },
      context,
    )
    return value
  }

  /** Their address was given with their container, and is the node's. */
  #checkHostNetwork({ name, address }: Node): void {
    const held = this.#state.instances
      .byNode(name)
      .filter(({ network }) => network !== undefined && lanOf(network) === undefined)
      .filter((each) => isHeld(this.#state, each))
    if (held.length === 0) return
    throw new BerthError(
      'node.in-use',
      `reach node ${name} at ${address}: ${held.map(({ id }) => id).join(', ')} ${held.length === 1 ? 'has' : 'have'} its address (\`network: ${held[0]?.network}\`); empty it first (berth node drain ${name})`,
      { details: { node: name, instances: held.length } },
    )
  }

  /** Asking again for less or more at a time changes only that. */
  async drain(name: string, limit: number, context: CallContext): Promise<Node> {
    const decide = (tx: RecordTransaction): Node => {
      const before = this.require(name)
      if (before.drain?.limit === limit) return before
      const drain = { since: this.#now(), by: context.actor, ...before.drain, limit }
      const node = { ...before, drain }
      tx.put('nodes', node, { ifUnchanged: true })
      const message = `${name} is being drained, ${limit} ${limit === 1 ? 'instance' : 'instances'} at a time`
      tx.event({ type: 'node.drain', subject: { node: name }, message })
      return node
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  async undrain(name: string, context: CallContext): Promise<Node> {
    const decide = (tx: RecordTransaction): Node => {
      const { drain, ...node } = this.require(name)
      if (drain === undefined) return node
      tx.put('nodes', node, { ifUnchanged: true })
      tx.event({ type: 'node.undrain', subject: { node: name }, message: `${name} takes instances again` })
      return node
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Instances that run there were given out by the rules of their group; they do not change under them. */
  #checkGroup(tx: RecordTransaction, before: Node, after: Node): void {
    const [from, to] = [groupOfNode(before), groupOfNode(after)]
    if (from === to) return
    requireGroup(this.#state, to)
    const held = this.#state.instances.byNode(before.name).filter((each) => isHeld(this.#state, each))
    if (held.length > 0)
      throw new BerthError(
        'node.in-use',
        `put node ${before.name} into group ${to}: ${held.length} ${held.length === 1 ? 'instance runs' : 'instances run'} there by the rules of group ${from}; empty it first (berth node drain ${before.name})`,
        { details: { node: before.name, instances: held.length } },
      )
    // A placement that is being decided by the old group compares this key, and so fails.
    const fence = this.#state.fences.get(before.name) ?? { node: before.name, updatedAt: this.#now() }
    tx.put('fences', { ...fence, updatedAt: this.#now() }, { ifUnchanged: true })
    tx.require('groups', to)
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
        tx.delete('nodeConfigs', name)
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
    const ids = this.#state.instances.byNode(name).map(({ id }) => id)
    const { drain } = this.require(name)
    const are = ids.length === 1 ? 'instance is' : 'instances are'
    const why =
      drain === undefined
        ? `${ids.length} ${are} assigned to it; drain it first (berth node drain ${name} --wait), so that they move`
        : `it is being drained, by ${drain.by}, and ${ids.length} ${are} still on it: ${someOf(ids)}; wait until nothing is left there (berth node drain ${name} --wait says what they wait for), then remove it`
    return new BerthError('node.in-use', `remove node ${name}: ${why}`, {
      details: { node: name, instances: ids.length, draining: drain !== undefined },
    })
  }
}
