import type { Style } from '../output/style.ts'

export type Mark = 'running' | 'done' | 'failed'

/**
 * One line a machine. At a terminal the lines are drawn anew in place; elsewhere a line is written when a machine's step changes (what
 * moves within a step is left out, so that a log stays readable).
 */
export class ProgressBoard {
  readonly #output: NodeJS.WriteStream
  readonly #style: Style
  readonly #names: readonly string[]
  readonly #lines = new Map<string, { mark: Mark; text: string; step: string }>()
  readonly #width: number
  #drawn = 0

  constructor(names: readonly string[], style: Style, output: NodeJS.WriteStream = process.stderr) {
    this.#names = names
    this.#style = style
    this.#output = output
    this.#width = Math.max(0, ...names.map((name) => name.length))
  }

  /** `detail` is what moves within a step: `45 %`. */
  say(name: string, mark: Mark, step: string, detail = ''): void {
    const text = detail === '' ? step : `${step} ${detail}`
    const before = this.#lines.get(name)
    if (before?.text === text && before.mark === mark) return
    this.#lines.set(name, { mark, text, step })
    if (this.#output.isTTY === true) this.#draw()
    else if (before?.step !== step || before.mark !== mark) this.#output.write(`${this.#line(name)}\n`)
  }

  /** Cut at the edge: a line that wraps would be drawn over the next one. */
  #line(name: string, columns = Number.POSITIVE_INFINITY): string {
    const { mark, text } = this.#lines.get(name) ?? { mark: 'running', text: 'waits' }
    const { green, red, dim } = this.#style
    const sign = mark === 'done' ? green('✔') : mark === 'failed' ? red('✘') : dim('…')
    return `${sign} ${`${name.padEnd(this.#width)}  ${text}`.slice(0, columns - 3)}`
  }

  /** No more lines than the terminal has: what does not fit is what has been done longest. */
  #draw(): void {
    const rows = Math.max(1, (this.#output.rows ?? 24) - 1)
    const order = [...this.#names].sort((a, b) => this.#rank(a) - this.#rank(b)).slice(0, rows)
    const shown = new Set(order)
    const columns = this.#output.columns ?? 80
    const lines = this.#names.filter((name) => shown.has(name)).map((name) => this.#line(name, columns))
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`
    this.#output.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`)
    this.#drawn = Math.max(this.#drawn, lines.length)
  }

  #rank(name: string): number {
    const mark = this.#lines.get(name)?.mark
    return mark === 'failed' ? 0 : mark === 'running' ? 1 : mark === undefined ? 2 : 3
  }
}
