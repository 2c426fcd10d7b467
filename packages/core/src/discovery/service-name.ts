import { hashText } from '../schedule/hash-text.ts'

/** An entrypoint of a pool, or an external service, that is to have a name among services. */
export interface Nameable {
  /** `shop/production/web`, `external/mysql`: what it is known by. */
  readonly id: string
  /** What its name is made of. */
  readonly words: readonly string[]
  /** Of two that would have one name the older has it. */
  readonly createdAt: number
}

/** Of a label of DNS. */
const maxLength = 63

/** `shop-production`; a longer name than a label of DNS may have is cut and ends in a hash of the whole. */
export function serviceName(words: readonly string[]): string {
  const name = words.join('-')
  return name.length <= maxLength ? name : marked(name, name)
}

/** Names by id, each given once, and the same whatever order the list is in. */
export function giveServiceNames(all: readonly Nameable[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  const byAge = [...all].sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  for (const { id, words } of byAge) {
    const plain = serviceName(words)
    let name = plain
    // Hashes may meet as well, in theory.
    for (let seed = 0; taken.has(name); seed += 1) name = marked(plain, `${id}${seed === 0 ? '' : seed}`)
    taken.add(name)
    names.set(id, name)
  }
  return names
}

function marked(name: string, whole: string): string {
  const mark = hashText(whole).toString(16).padStart(8, '0')
  return `${name.slice(0, maxLength - mark.length - 1).replace(/-+$/, '')}-${mark}`
}
