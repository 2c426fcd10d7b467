import type { Style } from '../output/style.ts'
import { countLine } from './progress-count.ts'

export type Mark = 'running' | 'done' | 'failed'

interface Line {
  readonly mark: Mark
  readonly text: string
  readonly step: string
}

/** Of more machines nobody reads a line a step. */
const manyMachines = 20
/** As often as an eye can follow, and as rarely as somebody who reads a log begins to wonder. */
const intervalMs = { draw: 100, log: 10_000 }

/**
 * One line a machine. At a terminal the lines are drawn anew in place, with a count below where there are several; elsewhere a line is
 * written when a machine's step changes (what moves within a step is left out, so that a log stays readable), and of many machines one when it
 * has ended and a count now and then.
 */
export class ProgressBoard implements Disposable {
  readonly #output: NodeJS.WriteStream
  readonly #style: Style
  readonly #names: readonly string[]
  readonly #lines = new Map<string, Line>()
  readonly #width: number
  readonly #isTerminal: boolean
  readonly #isMany: boolean
  readonly #timer: NodeJS.Timeout | undefined
  #drawn = 0
  #isStale = false
  #questions = 0

  constructor(names: readonly string[], style: Style, output: NodeJS.WriteStream = process.stderr) {
    this.#names = names
    this.#style = style
    this.#output = output
    this.#width = Math.max(0, ...names.map((name) => name.length))
    this.#isTerminal = output.isTTY === true
    this.#isMany = names.length > manyMachines
    if (this.#isTerminal) this.#timer = setInterval(() => this.#draw(), intervalMs.draw)
    else if (this.#isMany) this.#timer = setInterval(() => this.#writeCount(), intervalMs.log)
    this.#timer?.unref()
  }

  get isSingle(): boolean {
    return this.#names.length === 1
  }

  /** Whether everybody could read to its end why a machine failed. */
  get toldWhy(): boolean {
    return !this.#isTerminal && !this.#isMany
  }

  /** `detail` is what moves within a step: `45 %`. */
  say(name: string, mark: Mark, step: string, detail = ''): void {
    const text = detail === '' ? step : `${step} ${detail}`
    const before = this.#lines.get(name)
    if (before?.text === text && before.mark === mark) return
    this.#lines.set(name, { mark, text, step })
    this.#isStale = true
    if (this.#isTerminal) return
    const isNews = this.#isMany ? mark !== 'running' : before?.step !== step || before.mark !== mark
    if (isNews) this.#output.write(`${this.#line(name)}\n`)
  }

  /** A question to the person there stays where it was written, until it is answered; the lines are drawn anew below it. */
  async whileAsking<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#questions === 0) this.#draw()
    this.#questions += 1
    try {
      return await ask()
    } finally {
      this.#questions -= 1
      this.#drawn = 0
    }
  }

  /** Draws a last time. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#draw()
  }

  /** Cut at the edge: a line that wraps would be drawn over the next one. */
  #line(name: string, columns = Number.POSITIVE_INFINITY): string {
    const { mark, text } = this.#lines.get(name) ?? { mark: 'running', text: 'waits' }
    const { green, red, dim } = this.#style
    const sign = mark === 'done' ? green('✔') : mark === 'failed' ? red('✘') : dim('…')
    return `${sign} ${`${name.padEnd(this.#width)}  ${text}`.slice(0, columns - 3)}`
  }

  #writeCount(): void {
    if (this.#isStale)
      this.#output.write(`${this.#style.dim(`… ${countLine(this.#names.length, this.#lines.values())}`)}\n`)
    this.#isStale = false
  }

  /** No more lines than the terminal has: what does not fit is what has been done longest. */
  #draw(): void {
    if (!this.#isStale || !this.#isTerminal || this.#questions > 0) return
    this.#isStale = false
    const columns = this.#output.columns ?? 80
    const count =
      this.#names.length > 1 ? [countLine(this.#names.length, this.#lines.values()).slice(0, columns - 1)] : []
    const rows = Math.max(1, (this.#output.rows ?? 24) - 1 - count.length)
    const order = [...this.#names].sort((a, b) => this.#rank(a) - this.#rank(b)).slice(0, rows)
    const shown = new Set(order)
    const lines = this.#names.filter((name) => shown.has(name)).map((name) => this.#line(name, columns))
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`
    const all = [...lines, ...count.map(this.#style.dim)]
    this.#output.write(`${up}${all.map((line) => `\x1b[2K${line}\n`).join('')}`)
    this.#drawn = Math.max(this.#drawn, all.length)
  }

  #rank(name: string): number {
    const mark = this.#lines.get(name)?.mark
    return mark === 'running' ? 0 : mark === 'failed' ? 1 : mark === undefined ? 2 : 3
  }
}
