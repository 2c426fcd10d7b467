/**
 * The part of Consul's filter expressions that clients use: selectors (`Service.Tags`, `ServiceMeta["a.b"]`), `==`, `!=`, `in`, `not in`,
 * `contains`, `not contains`, `is empty`, `is not empty`, `matches`, `not matches`, `and`, `or`, `not`, and brackets.
 */
export type Filter = (item: unknown) => boolean

export type ParsedFilter = { readonly filter: Filter } | { readonly problem: string }

const maxLength = 4_000
const maxDepth = 50

type Token = { readonly kind: 'word' | 'text' | 'sign'; readonly text: string; readonly at: number }

export function parseFilter(expression: string): ParsedFilter {
  if (expression.length > maxLength) return { problem: `the filter is longer than ${maxLength} characters` }
  try {
    const parser = new Parser(tokensOf(expression))
    const filter = parser.either(0)
    parser.end()
    return { filter }
  } catch (error) {
    if (error instanceof FilterProblem) return { problem: error.message }
    throw error
  }
}

class FilterProblem extends Error {}

const tokenPattern = /\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`|(==|!=|[()[\]])|([A-Za-z0-9_][A-Za-z0-9_.:/-]*))/gy

function tokensOf(expression: string): Token[] {
  const tokens: Token[] = []
  const text = expression.trimEnd()
  tokenPattern.lastIndex = 0
  let at = 0
  while (at < text.length) {
    const found = tokenPattern.exec(text)
    if (found === null)
      throw new FilterProblem(`the filter makes no sense from character ${at + 1} on: ${text.slice(at, at + 30)}`)
    const [, quoted, raw, sign, word] = found
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.replace(/\\(.)/g, '$1'), at })
    else if (raw !== undefined) tokens.push({ kind: 'text', text: raw, at })
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign, at })
    else tokens.push({ kind: 'word', text: word ?? '', at })
    at = tokenPattern.lastIndex
  }
  return tokens
}

class Parser {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  either(depth: number): Filter {
    if (depth > maxDepth) throw new FilterProblem(`brackets are nested more than ${maxDepth} deep`)
    let left = this.#both(depth)
    while (this.#take('or')) {
      const [a, b] = [left, this.#both(depth)]
      left = (item) => a(item) || b(item)
    }
    return left
  }

  end(): void {
    const token = this.#tokens[this.#next]
    if (token !== undefined)
      throw new FilterProblem(`${JSON.stringify(token.text)} is not expected at character ${token.at + 1}`)
  }

  #both(depth: number): Filter {
    let left = this.#one(depth)
    while (this.#take('and')) {
      const [a, b] = [left, this.#one(depth)]
      left = (item) => a(item) && b(item)
    }
    return left
  }

  #one(depth: number): Filter {
    if (depth > maxDepth) throw new FilterProblem(`brackets are nested more than ${maxDepth} deep`)
    if (this.#take('not')) {
      const inner = this.#one(depth + 1)
      return (item) => !inner(item)
    }
    if (this.#take('(')) {
      const inner = this.either(depth + 1)
      this.#require(')')
      return inner
    }
    return this.#match()
  }

  #match(): Filter {
    const first = this.#value()
    if (this.#take('is')) {
      const isNegated = this.#take('not')
      this.#require('empty')
      const path = this.#selector(first)
      return (item) => isEmpty(valueAt(item, path)) !== isNegated
    }
    if (this.#take('==')) return equals(this.#selector(first), this.#value().text, false)
    if (this.#take('!=')) return equals(this.#selector(first), this.#value().text, true)
    const isNegated = this.#take('not')
    const wanted = (filter: Filter): Filter => (isNegated ? (item) => !filter(item) : filter)
    if (this.#take('in')) {
      const path = this.#selector(this.#value())
      return wanted((item) => has(valueAt(item, path), first.text))
    }
    if (this.#take('contains')) {
      const [path, text] = [this.#selector(first), this.#value().text]
      return wanted((item) => has(valueAt(item, path), text))
    }
    if (this.#take('matches')) {
      const [path, pattern] = [this.#selector(first), patternOf(this.#value().text)]
      return wanted((item) => {
        const value = valueAt(item, path)
        return typeof value === 'string' && pattern.test(value)
      })
    }
    throw this.#unexpected('==, !=, in, contains, matches or is')
  }

  #value(): Token & { readonly path?: readonly string[] } {
    const token = this.#tokens[this.#next]
    if (token === undefined || token.kind === 'sign') throw this.#unexpected('a name or a value')
    this.#next += 1
    if (token.kind === 'text') return token
    const path = token.text.split('.')
    while (this.#take('[')) {
      const key = this.#tokens[this.#next]
      if (key?.kind !== 'text') throw this.#unexpected('a key in quotes')
      this.#next += 1
      path.push(key.text)
      this.#require(']')
    }
    return { ...token, path }
  }

  #selector({ path, text }: { readonly path?: readonly string[]; readonly text: string }): readonly string[] {
    if (path === undefined)
      throw new FilterProblem(`${JSON.stringify(text)} is a value, and a name such as ServiceTags is expected`)
    return path
  }

  #take(text: string): boolean {
    const token = this.#tokens[this.#next]
    if (token === undefined || token.kind === 'text' || token.text !== text) return false
    this.#next += 1
    return true
  }

  #require(text: string): void {
    if (!this.#take(text)) throw this.#unexpected(text)
  }

  #unexpected(wanted: string): FilterProblem {
    const token = this.#tokens[this.#next]
    const found =
      token === undefined ? 'the filter ends' : `${JSON.stringify(token.text)} is at character ${token.at + 1}`
    return new FilterProblem(`${found}, and ${wanted} is expected`)
  }
}

/** `Checks.Status` of a list is what any of its members has. */
function valueAt(item: unknown, path: readonly string[]): unknown {
  let value = item
  for (const [place, key] of path.entries()) {
    if (Array.isArray(value)) {
      const rest = path.slice(place)
      return new AnyOf(value.map((each) => valueAt(each, rest)))
    }
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

class AnyOf {
  readonly values: readonly unknown[]
  constructor(values: readonly unknown[]) {
    this.values = values
  }
}

function equals(path: readonly string[], text: string, isNegated: boolean): Filter {
  return (item) => {
    const value = valueAt(item, path)
    const values = value instanceof AnyOf ? value.values : [value]
    return values.some((each) => each !== undefined && String(each) === text) !== isNegated
  }
}

function has(value: unknown, text: string): boolean {
  if (value instanceof AnyOf) return value.values.some((each) => has(each, text))
  if (Array.isArray(value)) return value.some((each) => String(each) === text)
  if (typeof value === 'string') return value.includes(text)
  return typeof value === 'object' && value !== null && Object.hasOwn(value, text)
}

function isEmpty(value: unknown): boolean {
  if (value instanceof AnyOf) return value.values.every(isEmpty)
  if (value === undefined || value === null || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** Patterns come from callers: what takes exponential time by backtracking is refused by its form. */
function patternOf(text: string): RegExp {
  const repetitions = text.replace(/\\./g, '').match(/[*+{]/g)?.length ?? 0
  if (text.length > 200 || repetitions > 3 || /[)*+}]\s*[*+{]|\\[0-9]|\(\?/.test(text))
    throw new FilterProblem(
      `the pattern ${JSON.stringify(text.slice(0, 60))} is longer than 200 characters, has more than three repetitions, or repeats one`,
    )
  try {
    return new RegExp(text, 'u')
  } catch {
    throw new FilterProblem(`${JSON.stringify(text)} is no regular expression`)
  }
}
