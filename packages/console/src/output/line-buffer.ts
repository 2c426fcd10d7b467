import type { LogLine } from '@berth/api/endpoints'

export interface NumberedLine extends LogLine {
  /** Counts up for ever; the key of its row. */
  readonly number: number
}

/** The newest lines only: a browser must survive a service that logs all day. */
export class LineBuffer {
  readonly #most: number
  #lines: readonly NumberedLine[] = []
  #next = 1

  constructor(most = 3_000) {
    this.#most = most
  }

  get lines(): readonly NumberedLine[] {
    return this.#lines
  }

  get lastAt(): number | undefined {
    return this.#lines.at(-1)?.at
  }

  append(lines: readonly LogLine[]): void {
    const numbered = lines.map((line) => {
      const number = this.#next
      this.#next += 1
      return { ...line, line: plain(line.line), number }
    })
    this.#lines = [...this.#lines, ...numbered].slice(-this.#most)
  }

  /** After a broken connection: lines that are here already are not taken again. */
  appendAfter(lines: readonly LogLine[], known: ReadonlySet<string>): void {
    this.append(lines.filter((line) => !known.has(lineKey(line))))
  }

  /** What has been seen at the newest instant, to recognize repetitions by. */
  keysAtEnd(): ReadonlySet<string> {
    return new Set(this.#lines.slice(-200).map(lineKey))
  }

  clear(): void {
    this.#lines = []
  }
}

export const lineKey = ({ at, instance = '', stream, line }: LogLine): string =>
  `${at} ${instance} ${stream} ${plain(line)}`

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of terminals are what is looked for
const escapes = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g

/** Without terminal colours and cursor movements; of a line that was overwritten by carriage returns, what was left of it. */
export function plain(text: string): string {
  const clean = text.replace(escapes, '').replace(/\r+$/, '')
  return clean.slice(clean.lastIndexOf('\r') + 1)
}
