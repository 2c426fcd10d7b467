import type { NodeView } from '@berth/api'

/** What follows the order to drain a node. */
export function drainText({ name, instances }: NodeView): string {
  if (instances === 0) return `nothing runs on ${name}`
  const leave = instances === 1 ? '1 instance leaves' : `${instances} instances leave`
  return `${leave} it; what each waits for: berth node show ${name}`
}

/** A number that is another one, as in "web-8 … 3 nodes without room", makes it no other reason. */
const sameReason = (line: string): string => line.replaceAll(/\d+([.,]\d+)*/g, '#')

/** What is on its way is told at once, each reason once for each; that it still waits for the same is no news, nor whose turn is later. */
export class DrainLines {
  readonly #node: string
  #left = -1
  /** By instance. */
  #told: ReadonlyMap<string, Set<string>> = new Map()

  constructor(node: string) {
    this.#node = node
  }

  newsOf({ instances, staying = [], online }: NodeView): string[] {
    const before = this.#told
    // Who has left is forgotten.
    this.#told = new Map(staying.map(({ instance }) => [instance, before.get(instance) ?? new Set<string>()]))
    const news = staying
      .filter(({ later, instance, why }) => !later && this.#isNew(instance, why))
      .map(({ instance, why }) => `  ${instance} ${why}`)
    const where = online ? this.#node : `${this.#node}, which is offline`
    const count = this.#left === instances ? [] : [`${instances} left on ${where}`]
    this.#left = instances
    return [...count, ...news]
  }

  #isNew(instance: string, why: string): boolean {
    const told = this.#told.get(instance)
    if (told === undefined || told.has(sameReason(why))) return false
    told.add(sameReason(why))
    return true
  }
}
