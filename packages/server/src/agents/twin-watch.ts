const windowMs = 60_000
/** A cable that is plugged in again replaces a link now and then; only two who both want it do so again and again. */
const enough = 5
/** They go on until somebody has read it. */
const againMs = 600_000

interface Taken {
  readonly at: number
  readonly from: string
}

/**
 * Finds out that two machines have one node's identity, as when a disk was copied: each takes the link from the other, which then dials
 * again.
 */
export class TwinWatch {
  readonly #taken = new Map<string, readonly Taken[]>()
  readonly #told = new Map<string, number>()

  /** A link that was open has been replaced by one from this address. Gives a sentence, every ten minutes, when two do so in turn. */
  note(node: string, from: string, now: number): string | undefined {
    const recent = [...(this.#taken.get(node) ?? []).filter(({ at }) => now - at < windowMs), { at: now, from }]
    this.#taken.set(node, recent)
    if (recent.length < enough || now - (this.#told.get(node) ?? -againMs) < againMs) return undefined
    this.#told.set(node, now)
    return sentence(node, recent)
  }

  /** As long as they go on. */
  problemOf(node: string, now: number): string | undefined {
    const told = this.#told.get(node)
    const last = this.#taken.get(node)?.at(-1)
    if (told === undefined || last === undefined || now - last.at >= windowMs) return undefined
    return sentence(node, this.#taken.get(node) ?? [])
  }

  forget(node: string): void {
    this.#taken.delete(node)
    this.#told.delete(node)
  }
}

function sentence(node: string, taken: readonly Taken[]): string {
  const places = [...new Set(taken.map(({ from }) => from))].sort().join(' and ')
  return `two machines seem to be node ${node}: its link was taken over ${taken.length} times within a minute, from ${places}. Was its disk copied? Remove agent/ from the state directory of one of them and join that one anew`
}
