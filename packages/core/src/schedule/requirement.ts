import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'
import { compareVersions } from './compare-versions.ts'

export type RequirementOperator = 'exists' | 'absent' | '=' | '!=' | 'in' | 'not in' | '>=' | '>' | '<=' | '<'

/** One condition on a node's labels. */
export interface Requirement {
  /** As printed everywhere: one space around operators. */
  readonly text: string
  readonly label: string
  readonly operator: RequirementOperator
  /** One for comparisons, none for `exists` and `absent`. */
  readonly values: readonly string[]
}

const maxLength = 1000
const labelPattern = /[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,250}[A-Za-z0-9])?/y
const operatorPattern = /not\s+in(?=[\s(])|in(?=[\s(])|!=|==|=|>=|<=|>|</y
const valuePattern = /"([^"]{0,250})"|[^\s,()"=!<>]{1,250}/y

/**
 * Reads `label`, `!label`, `disk = ssd`, `disk != hdd`, `disk in (ssd, nvme)`, `disk not in (hdd)`, `kernel >= 5.15` (also >, <=, <).
 * A mistake is told with the text, its place (counted from 1) and what was expected there.
 */
export function parseRequirement(text: string): Parsed<Requirement> {
  if (text.length > maxLength)
    return refused(`a requirement has at most ${maxLength} characters, this one ${text.length}`)
  const reader = new Reader(text)
  const negated = reader.skip('!')
  const label = reader.match(labelPattern)?.[0]
  if (label === undefined) return reader.expected('the name of a label')
  if (negated) return reader.end(make(label, 'absent', []))
  if (reader.atEnd()) return parsed(make(label, 'exists', []))
  const operator = reader.match(operatorPattern)?.[0].replace(/\s+/, ' ')
  if (operator === undefined) return reader.expected('=, !=, in (…), not in (…), >=, >, <= or <')
  if (operator === 'in' || operator === 'not in') return readList(reader, label, operator)
  const value = reader.value()
  if (value === undefined) return reader.expected('a value')
  return reader.end(make(label, operator === '==' ? '=' : (operator as RequirementOperator), [value]))
}

function readList(reader: Reader, label: string, operator: 'in' | 'not in'): Parsed<Requirement> {
  if (!reader.skip('(')) return reader.expected('"("')
  const values: string[] = []
  do {
    const value = reader.value()
    if (value === undefined) return reader.expected('a value')
    values.push(value)
  } while (reader.skip(','))
  if (!reader.skip(')')) return reader.expected('"," or ")"')
  return reader.end(make(label, operator, values))
}

function make(label: string, operator: RequirementOperator, values: readonly string[]): Requirement {
  return { text: formatRequirement(label, operator, values), label, operator, values }
}

function formatRequirement(label: string, operator: RequirementOperator, values: readonly string[]): string {
  const quoted = values.map((value) => (/^[^\s,()"=!<>]+$/.test(value) ? value : `"${value}"`))
  if (operator === 'exists') return label
  if (operator === 'absent') return `!${label}`
  if (operator === 'in' || operator === 'not in') return `${label} ${operator} (${quoted.join(', ')})`
  return `${label} ${operator} ${quoted[0]}`
}

/** Does a node whose label has this value (undefined: it has none) meet it? */
export function meets(requirement: Requirement, value: string | undefined): boolean {
  const [first = ''] = requirement.values
  switch (requirement.operator) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case '=':
      return value === first
    case '!=':
      return value !== first
    case 'in':
      return value !== undefined && requirement.values.includes(value)
    case 'not in':
      return value === undefined || !requirement.values.includes(value)
    case '>=':
      return value !== undefined && compareVersions(value, first) >= 0
    case '>':
      return value !== undefined && compareVersions(value, first) > 0
    case '<=':
      return value !== undefined && compareVersions(value, first) <= 0
    case '<':
      return value !== undefined && compareVersions(value, first) < 0
    default:
      return requirement.operator satisfies never
  }
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  match(pattern: RegExp): RegExpExecArray | undefined {
    this.#skipSpace()
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at = pattern.lastIndex
    return match
  }

  value(): string | undefined {
    const match = this.match(valuePattern)
    return match === undefined ? undefined : (match[1] ?? match[0])
  }

  skip(text: string): boolean {
    this.#skipSpace()
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  atEnd(): boolean {
    this.#skipSpace()
    return this.#at >= this.#text.length
  }

  end(requirement: Requirement): Parsed<Requirement> {
    return this.atEnd() ? parsed(requirement) : this.expected('nothing more')
  }

  expected(what: string): Parsed<never> {
    this.#skipSpace()
    const found = this.#at >= this.#text.length ? 'the end' : JSON.stringify(this.#text.slice(this.#at, this.#at + 20))
    return refused(`requirement "${this.#text}", place ${this.#at + 1}: expected ${what}, found ${found}`)
  }

  #skipSpace(): void {
    while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at]!)) this.#at++
  }
}
