import type { State } from '../records/index.ts'

const keptImages = 500

/** Which nodes have an image, for all that the records say, and what copies have shown since. */
export class ImageHolders {
  readonly #state: State
  /** By image: those that a copy has brought it to, or that have said that they have it. */
  readonly #seen = new Map<string, Set<string>>()
  /** By image: those that did not have it although the records say so. */
  readonly #lacking = new Map<string, Set<string>>()

  /** Of one revision: many may ask for the same in one turn. */
  readonly #found = new Map<string, ReadonlySet<string>>()
  #revision = -1

  constructor(state: State) {
    this.#state = state
  }

  has(image: string, node: string): void {
    this.#found.delete(image)
    note(this.#seen, image, node)
    this.#lacking.get(image)?.delete(node)
  }

  lacks(image: string, node: string): void {
    this.#found.delete(image)
    note(this.#lacking, image, node)
    this.#seen.get(image)?.delete(node)
  }

  /** The node that built it, those that run it, those that were seen to have it. */
  of(image: string): ReadonlySet<string> {
    if (this.#revision !== this.#state.revision) this.#found.clear()
    this.#revision = this.#state.revision
    const found = this.#found.get(image) ?? this.#find(image)
    this.#found.set(image, found)
    return found
  }

  #find(image: string): Set<string> {
    const releases = this.#state.releases.byImage(image)
    const nodes = new Set<string>()
    for (const { build } of releases) {
      const node = build === undefined ? undefined : this.#state.builds.get(build)?.node
      if (node !== undefined) nodes.add(node)
    }
    for (const node of this.#running(releases)) nodes.add(node)
    for (const node of this.#lacking.get(image) ?? []) nodes.delete(node)
    for (const node of this.#seen.get(image) ?? []) nodes.add(node)
    return nodes
  }

  /** There is a container of it there: one that only belongs there may still wait for its image. */
  *#running(releases: readonly { readonly app: string; readonly id: string }[]): Iterable<string> {
    for (const { app, id } of releases)
      for (const instance of this.#state.instances.byApp(app)) {
        if (instance.release !== id || instance.node === undefined) continue
        if (this.#state.statuses.get(instance.id)?.containerId !== undefined) yield instance.node
      }
  }
}

function note(nodes: Map<string, Set<string>>, image: string, node: string): void {
  const known = nodes.get(image) ?? new Set()
  known.add(node)
  nodes.delete(image)
  nodes.set(image, known)
  // The oldest is forgotten: asking for it again costs a little.
  if (nodes.size > keptImages) nodes.delete(nodes.keys().next().value as string)
}
