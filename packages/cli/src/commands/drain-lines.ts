import type { NodeView } from '@berth/api'

/** What follows the order to drain a node. */
export function drainText({ name, instances }: NodeView): string {
  if (instances === 0) return `nothing runs on ${name}`
  const leave = instances === 1 ? '1 instance leaves' : `${instances} instances leave`
  return `${leave} it; what each waits for: berth node show ${name}`
}

/** What is on its way is told at once; that the same one still waits for the same is no news, nor whose turn is later. */
export class DrainLines {
  readonly #node: string
  #left = -1
  #told: ReadonlySet<string> = new Set()

  constructor(node: string) {
    this.#node = node
  }

  newsOf({ instances, staying = [], online }: NodeView): string[] {
    const lines = staying.filter(({ later }) => !later).map(({ instance, why }) => `  ${instance} ${why}`)
    const news = lines.filter((line) => !this.#told.has(line))
    this.#told = new Set(lines)
    const where = online ? this.#node : `${this.#node}, which is offline`
    const count = this.#left === instances ? [] : [`${instances} left on ${where}`]
    this.#left = instances
    return [...count, ...news]
  }
}
