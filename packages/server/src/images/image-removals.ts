/**
 * Says when nothing is being removed from a node. A build that asks whether an image is there must hear of a removal under way, which
 * began before the build did, only when it has ended.
 */
export class ImageRemovals {
  readonly #running = new Map<string, Promise<void>>()

  /** Never rejects. */
  async settled(node: string): Promise<void> {
    for (let running = this.#running.get(node); running !== undefined; running = this.#running.get(node)) await running
  }

  /** One after the other for a node. Begins in the same turn, so that what was decided just before still holds. */
  async run<T>(node: string, removal: () => Promise<T>): Promise<T> {
    if (this.#running.has(node)) throw new Error(`two removals on ${node} at once`)
    const removing = removal()
    const settled = removing.then(
      () => undefined,
      () => undefined,
    )
    this.#running.set(node, settled)
    try {
      return await removing
    } finally {
      this.#running.delete(node)
    }
  }
}
