import { closest } from '@berth/core'
import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

/** A value and where it stands. Offsets count UTF-16 units from the start of the text. */
export interface YamlNode {
  readonly value: unknown
  readonly offset: number
  /** Of the key in a map; the value's own in a list. */
  readonly keyOffset: number
  readonly endOffset: number
  /** The YAML itself was refused here (it is among the problems), so the value says nothing. */
  readonly refused?: true
  readonly children: ReadonlyMap<string | number, YamlNode>
}

export interface YamlProblem {
  readonly offset: number
  readonly message: string
  readonly suggestion?: string
}

/** Once aliases are expanded; a real document has some hundreds. */
const maxValues = 20_000
const maxDepth = 64

/** Makes plain values with their places out of YAML’s nodes: expands aliases and merges, refuses double keys. */
export class TreeReader {
  readonly problems: YamlProblem[] = []
  /** A limit was hit here and reading ended. */
  readonly exceeded: YamlProblem[] = []
  readonly #document: Document.Parsed
  readonly #lineOf: (offset: number) => number
  readonly #targets = new Map<Alias, unknown>()
  readonly #anchors = new Map<string, unknown>()
  /** Nodes that are being read, to notice an alias to something around itself. */
  readonly #open = new Set<unknown>()
  #values = 0

  constructor(document: Document.Parsed, lineOf: (offset: number) => number) {
    this.#document = document
    this.#lineOf = lineOf
  }

  read(): YamlNode | undefined {
    const { contents } = this.#document
    if (contents === null || (isScalar(contents) && contents.value === null)) return undefined
    this.#resolveAliases()
    return this.#node(contents, 0, 0)
  }

  /** An alias means the nearest anchor of its name before it. */
  #resolveAliases(): void {
    visit(this.#document, (_key, node) => {
      if (isAlias(node)) this.#targets.set(node, this.#anchors.get(node.source))
      else if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    })
  }

  #node(node: unknown, keyOffset: number, depth: number): YamlNode {
    const offset = offsetOf(node, keyOffset)
    if (!this.#spend(offset, depth)) return refusedLeaf(offset, keyOffset)
    if (isAlias(node)) return this.#alias(node, offset, keyOffset, depth)
    if (isMap(node)) return this.#inside(node, () => this.#map(node, offset, keyOffset, depth))
    if (isSeq(node)) return this.#inside(node, () => this.#list(node, offset, keyOffset, depth))
    const value = isScalar(node) ? plainValue(node) : null
    return { value, offset, keyOffset, endOffset: endOf(node, offset), children: new Map() }
  }

  #spend(offset: number, depth: number): boolean {
    this.#values += 1
    if (depth <= maxDepth && this.#values <= maxValues) return true
    const message =
      depth > maxDepth ? 'the document is nested too deeply' : `more than ${maxValues} values (aliases count each time)`
    if (this.exceeded.length === 0) this.exceeded.push({ offset, message })
    return false
  }

  #inside(node: unknown, read: () => YamlNode): YamlNode {
    this.#open.add(node)
    try {
      return read()
    } finally {
      this.#open.delete(node)
    }
  }

  #alias(alias: Alias, offset: number, keyOffset: number, depth: number): YamlNode {
    const target = this.#targets.get(alias)
    if (target !== undefined && !this.#open.has(target)) return { ...this.#node(target, keyOffset, depth), keyOffset }
    if (target !== undefined) {
      this.problems.push({ offset, message: `the alias *${alias.source} stands inside of what it stands for` })
    } else {
      const near = closest(alias.source, this.#anchors.keys())
      const suggestion = near === undefined ? {} : { suggestion: `did you mean *${near}?` }
      this.problems.push({ offset, message: `no anchor &${alias.source} comes before this alias`, ...suggestion })
    }
    return refusedLeaf(offset, keyOffset)
  }

  #list(list: YAMLSeq, offset: number, keyOffset: number, depth: number): YamlNode {
    const children = new Map<number, YamlNode>()
    for (const [index, item] of list.items.entries()) {
      if (this.exceeded.length > 0) break
      children.set(index, this.#node(item, offsetOf(item, offset), depth + 1))
    }
    const value = [...children.values()].map((child) => child.value)
    return { value, offset, keyOffset, endOffset: endOf(list, offset), children }
  }

  #map(map: YAMLMap, offset: number, keyOffset: number, depth: number): YamlNode {
    const children = new Map<string, YamlNode>()
    const own = new Map<string, number>()
    for (const pair of map.items as Pair[]) {
      if (this.exceeded.length > 0) break
      if (isMergeKey(pair.key)) {
        this.#merge(pair.value, children, own, depth)
        continue
      }
      const key = this.#key(pair.key, offset, own)
      if (key !== undefined) children.set(key, this.#node(pair.value, offsetOf(pair.key, offset), depth + 1))
    }
    const value = Object.fromEntries([...children].map(([key, child]) => [key, child.value]))
    return { value, offset, keyOffset, endOffset: endOf(map, offset), children }
  }

  /** The key's text, or undefined when it cannot be used. */
  #key(node: unknown, mapOffset: number, own: Map<string, number>): string | undefined {
    const offset = offsetOf(node, mapOffset)
    if (!isScalar(node) || (node.value === null && node.source === '')) {
      this.problems.push({ offset, message: 'a key has to be a word', suggestion: 'write `key: value`' })
      return undefined
    }
    const key = typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
    const first = own.get(key)
    if (first !== undefined) {
      this.problems.push({ offset, message: `the key "${key}" is given twice (first on line ${this.#lineOf(first)})` })
      return undefined
    }
    if (key === '__proto__') {
      this.problems.push({ offset, message: '"__proto__" cannot be a key' })
      return undefined
    }
    own.set(key, offset)
    return key
  }

  /** `<<: *anchor` or `<<: [*one, *two]`: what the map says itself goes first, then the earlier of those merged. */
  #merge(source: unknown, children: Map<string, YamlNode>, own: Map<string, number>, depth: number): void {
    const sources = isSeq(source) ? source.items : [source]
    for (const each of sources) {
      const merged = this.#node(each, offsetOf(each, 0), depth + 1)
      if (typeof merged.value !== 'object' || merged.value === null || Array.isArray(merged.value)) {
        if (!isAlias(each) || this.#targets.get(each) !== undefined)
          this.problems.push({ offset: offsetOf(each, 0), message: '`<<` merges maps only' })
        continue
      }
      for (const [key, child] of merged.children) {
        if (typeof key === 'string' && !own.has(key) && !children.has(key)) children.set(key, child)
      }
    }
  }
}

const refusedLeaf = (offset: number, keyOffset: number): YamlNode => ({
  value: null,
  offset,
  keyOffset,
  endOffset: offset,
  refused: true,
  children: new Map(),
})

function plainValue(node: Scalar): unknown {
  const { value, source } = node
  if (typeof value === 'number') return Number.isSafeInteger(value) && source === String(value) ? value : (source ?? '')
  if (typeof value === 'boolean') return source === String(value) ? value : (source ?? value)
  if (typeof value === 'string' || value === null) return value
  return source ?? String(value)
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN'
}

/** Where the node starts; an empty value has no place of its own and takes its key's. */
function offsetOf(node: unknown, fallback: number): number {
  if (isAlias(node) || isCollection(node)) return node.range?.[0] ?? fallback
  if (!isScalar(node) || (node.value === null && node.source === '')) return fallback
  return node.range?.[0] ?? fallback
}

function endOf(node: unknown, fallback: number): number {
  return isScalar(node) || isCollection(node) ? (node.range?.[1] ?? fallback) : fallback
}
