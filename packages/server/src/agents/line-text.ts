import type { ToAgent } from '@berth/api'

/** What all nodes get is one object, and is written out once. */
const shared: ReadonlySet<ToAgent['type']> = new Set(['names', 'peers', 'peer-part', 'routes', 'route-changes', 'ping'])
const texts = new WeakMap<ToAgent, Buffer>()

/** A line as it travels. */
export function lineText(line: ToAgent): Buffer | string {
  if (!shared.has(line.type)) return `${JSON.stringify(line)}\n`
  const known = texts.get(line)
  if (known !== undefined) return known
  const text = Buffer.from(`${JSON.stringify(line)}\n`)
  texts.set(line, text)
  return text
}
