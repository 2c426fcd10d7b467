import { type Parsed, parsed, refused } from './spec-issue.ts'

/**
 * Splits a command as a shell would split it (words, quotes, backslashes), but runs none: what only a shell could do (variables,
 * pipes, `&&`, redirections, patterns) is refused, since it would reach the program as plain text.
 */
export function splitCommand(text: string): Parsed<readonly string[]> {
  const words: string[] = []
  const scanner = new Scanner(text)
  while (scanner.skipBlanks()) {
    const word = scanner.word()
    if (!word.ok) return word
    words.push(word.value)
  }
  if (words.length === 0) return refused('the command is empty', 'leave the key out to run the image’s own command')
  if (/^[A-Za-z_][A-Za-z0-9_]*=/.test(words[0]!)) {
    return refused(`"${words[0]}" sets a variable, which needs a shell`, 'set it under `env`')
  }
  return parsed(words)
}

const operators = new Set(['|', '&', ';', '<', '>', '(', ')', '\n'])
const expansions = new Set(['$', '`'])
/** What a backslash takes the meaning from inside double quotes; before anything else it stays. */
const escapable = new Set(['$', '`', '"', '\\', '\n'])

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    // A block scalar (`|`, `>`) ends in a line break that means nothing.
    this.#text = text.trim()
  }

  /** False at the end. */
  skipBlanks(): boolean {
    while (this.#at < this.#text.length) {
      if (this.#text.startsWith('\\\n', this.#at)) this.#at += 2
      else if (/[ \t\r]/.test(this.#text[this.#at]!)) this.#at += 1
      else return true
    }
    return false
  }

  word(): Parsed<string> {
    let word = ''
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!
      if (character === ' ' || character === '\t' || character === '\r') break
      const part = this.#part(character)
      if (!part.ok) return part
      word += part.value
    }
    return parsed(word)
  }

  #part(character: string): Parsed<string> {
    if (character === "'") return this.#singleQuoted()
    if (character === '"') return this.#doubleQuoted()
    if (character === '\\') return this.#escaped()
    if (operators.has(character)) return this.#needsShell(character === '\n' ? 'a second line' : `"${character}"`)
    if (expansions.has(character)) return this.#needsShell(`"${this.#text.slice(this.#at).split(/[ \n]/)[0]}"`)
    if (character === '*') return this.#needsShell('the pattern "*"')
    this.#at += 1
    return parsed(character)
  }

  #singleQuoted(): Parsed<string> {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end === -1) return refused("a ' is never closed")
    const inside = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    return parsed(inside)
  }

  #doubleQuoted(): Parsed<string> {
    let inside = ''
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at]!
      if (character === '"') {
        this.#at += 1
        return parsed(inside)
      }
      if (expansions.has(character)) return this.#needsShell(`"${this.#text.slice(this.#at).split(/["\s]/)[0]}"`)
      if (character !== '\\') inside += character
      else inside += this.#escapedInQuotes()
    }
    return refused('a " is never closed')
  }

  /** Stands on the backslash; leaves the position on the last character taken. */
  #escapedInQuotes(): string {
    const next = this.#text[this.#at + 1]
    if (next === undefined || !escapable.has(next)) return '\\'
    this.#at += 1
    return next === '\n' ? '' : next
  }

  #escaped(): Parsed<string> {
    const next = this.#text[this.#at + 1]
    if (next === undefined) return refused('the command ends in a backslash')
    this.#at += 2
    return parsed(next === '\n' ? '' : next)
  }

  #needsShell(what: string): Parsed<never> {
    return refused(`the command has ${what}, which only a shell understands, and none runs here`, this.#shellForm())
  }

  #shellForm(): string {
    const text = this.#text.length > 100 ? `${this.#text.slice(0, 100)}…` : this.#text
    return `write [sh, -c, ${JSON.stringify(text)}], or put it in '…' to mean it as it stands`
  }
}
