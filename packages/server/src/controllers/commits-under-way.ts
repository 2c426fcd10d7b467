import type { TransactionResult } from '../store/store.ts'

export interface PlannedCommit {
  /** Nodes whose fences it compares and writes. */
  readonly nodes: ReadonlySet<string>
  /** `own`: at which revisions those before it have written fences. */
  readonly commit: (own: ReadonlyMap<string, number>) => Promise<TransactionResult>
  /** It is not going to be committed. */
  readonly drop: () => void
}

/**
 * Commits of one plan that are under way beside each other: those of different nodes have nothing in common, and those of one node go
 * one after the other. Once one of them has failed no further one begins.
 */
export class CommitsUnderWay {
  readonly #most: number
  readonly #underWay = new Map<Promise<void>, ReadonlySet<string>>()
  readonly #own = new Map<string, number>()
  #hasBegun = false
  #isLost = false
  #failure: { readonly error: unknown } | undefined

  constructor(most: number) {
    this.#most = most
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** One has been refused, or has failed. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Begins it once those are done that it could meet; drops it when one is lost meanwhile. `alone`: beside no other. */
  async begin(planned: PlannedCommit, { alone }: { readonly alone: boolean }): Promise<void> {
    const isInTheWay = (nodes: ReadonlySet<string>): boolean => alone || !nodes.isDisjointFrom(planned.nodes)
    for (;;) {
      if (this.#isLost) return planned.drop()
      const before = [...this.#underWay].filter(([, nodes]) => isInTheWay(nodes)).map(([done]) => done)
      if (before.length > 0) await Promise.all(before)
      else if (this.#underWay.size >= this.#most) await Promise.race(this.#underWay.keys())
      else break
    }
    this.#start(planned)
    if (alone) await this.settled()
  }

  /** Resolves when none is under way. Throws what one of them has thrown. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.keys())
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #start({ nodes, commit }: PlannedCommit): void {
    this.#hasBegun = true
    const done = this.#run(nodes, commit).finally(() => this.#underWay.delete(done))
    this.#underWay.set(done, nodes)
  }

  async #run(nodes: ReadonlySet<string>, commit: PlannedCommit['commit']): Promise<void> {
    try {
      const { ok, revision } = await commit(this.#own)
      if (ok) for (const node of nodes) this.#own.set(node, revision)
      else this.#isLost = true
    } catch (error) {
      this.#isLost = true
      this.#failure ??= { error }
    }
  }
}
