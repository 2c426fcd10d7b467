import type { MemberChanges, PolicyDocument } from '@berth/core'
import type { FeedLine } from '../agents/node-feed.ts'
import { PacedWork } from '../controllers/paced-work.ts'
import type { State, StateChange } from '../records/index.ts'
import { NodePolicies } from './node-policies.ts'

export interface PolicyFeedOptions {
  readonly state: State
  /** Those that listen. */
  readonly nodes: () => Iterable<string>
  readonly send: (node: string, line: FeedLine) => void
}

/** Tells nodes of the security policy what has changed for them, once a turn of the event loop. */
export class PolicyFeed implements Disposable {
  readonly #options: PolicyFeedOptions
  readonly #policies: NodePolicies
  /** New rules must not wait long behind others that were many. */
  readonly #sends = new PacedWork({ act: () => this.#sendChanges(), share: 0.5 })

  constructor(options: PolicyFeedOptions) {
    this.#options = options
    this.#policies = new NodePolicies(options.state)
  }

  note(change: StateChange): void {
    if (this.#policies.note(change)) this.#sends.mark('policy')
  }

  documentFor(node: string): PolicyDocument {
    return this.#policies.documentFor(node)
  }

  [Symbol.dispose](): void {
    this.#sends[Symbol.dispose]()
  }

  #sendChanges(): void {
    const { nodes, members } = this.#policies.take()
    const { state, send } = this.#options
    const { revision } = state
    const isChanged = Object.keys(members).length > 0
    for (const node of this.#options.nodes()) {
      if (nodes === 'all' || nodes.has(node)) send(node, { type: 'policy', revision, policy: this.documentFor(node) })
      else if (isChanged) this.#sendMembers(node, members, revision)
    }
  }

  #sendMembers(node: string, changes: MemberChanges, revision: number): void {
    const members = this.#policies.membersFor(node, changes)
    if (members !== undefined) this.#options.send(node, { type: 'members', revision, members })
  }
}
