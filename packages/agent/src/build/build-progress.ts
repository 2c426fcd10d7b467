/** One document of the answer to `POST /build`. */
export interface BuildMessage {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly progressDetail?: { readonly current?: number }
  readonly error?: string
  readonly errorDetail?: { readonly code?: number; readonly message?: string }
  readonly aux?: { readonly ID?: string }
}

export interface BuildStep {
  readonly number: number
  readonly total: number
  readonly instruction: string
}

const maxLineLength = 16 * 1024
/** There is one at a time; more are only said to run by what a step prints. */
const maxContainers = 50
const builderWords = /^(Step \d+\/\d+ : | ---> |Removing intermediate container )/
/** Docker 20.10, and from 23 on. */
const removedContainer = /^(?:Removing| ---> Removed) intermediate container ([0-9a-f]{12})$/
const tailLines = 20

/**
 * Makes whole lines of the classic builder's output and notes from them how far it is. What a step prints looks the same as what the
 * builder says, so nothing noted here may be trusted with more than a message, or is checked before it is acted upon.
 */
export class BuildProgress {
  step: BuildStep | undefined
  /** Short ids of containers that were said to run and not to be removed. */
  readonly running = new Set<string>()
  /** Short ids of containers that were named since the current step began. */
  readonly stepContainers = new Set<string>()
  /** Short id of the image that the steps of this stage have made so far; undefined as long as it is the base itself. */
  layer: string | undefined
  /** The last images of earlier stages, which would stay behind without a name. */
  readonly stages: string[] = []
  /** Full id of the finished image. */
  image: string | undefined
  readonly tail: string[] = []
  #rest = ''

  read(message: BuildMessage): string[] {
    if (message.aux?.ID !== undefined) this.image = message.aux.ID
    if (message.stream !== undefined) return this.#note(this.#lines(plain(message.stream)))
    // Of a pull only what changes state is worth a line, not each progress of each layer.
    if (message.status === undefined || message.progressDetail?.current !== undefined) return []
    return this.#note([message.id === undefined ? message.status : `${message.id}: ${message.status}`])
  }

  /** What is left when the output ends without a line break. */
  end(): string[] {
    const rest = this.#rest
    this.#rest = ''
    return rest === '' ? [] : this.#note([rest])
  }

  #lines(text: string): string[] {
    // The builder's own words begin a line, also when what a step printed did not end one.
    const cut = builderWords.test(text) && this.#rest !== '' ? '\n' : ''
    const lines = (this.#rest + cut + text).split('\n')
    this.#rest = lines.pop() ?? ''
    while (this.#rest.length > maxLineLength) {
      lines.push(this.#rest.slice(0, maxLineLength))
      this.#rest = this.#rest.slice(maxLineLength)
    }
    return lines.flatMap(shortLines).filter((line) => line !== '')
  }

  #note(lines: readonly string[]): string[] {
    for (const line of lines) {
      this.#readStep(line)
      if (!line.startsWith(' ---> ') && !line.startsWith('Removing intermediate container ')) this.tail.push(line)
    }
    this.tail.splice(0, this.tail.length - tailLines)
    return [...lines]
  }

  #readStep(line: string): void {
    const step = /^Step (\d+)\/(\d+) : (.*)$/.exec(line)
    if (step !== null) {
      const [, number, total, instruction = ''] = step
      this.step = { number: Number(number), total: Number(total), instruction }
      if (this.#isBase()) this.#endStage()
      this.stepContainers.clear()
      this.tail.splice(0)
    }
    const container = /^ ---> Running in ([0-9a-f]{12})$/.exec(line)?.[1]
    if (container !== undefined && this.running.size < maxContainers) {
      this.running.add(container)
      this.stepContainers.add(container)
    }
    const removed = removedContainer.exec(line)?.[1]
    if (removed !== undefined) this.running.delete(removed)
    const layer = /^ ---> ([0-9a-f]{12})$/.exec(line)?.[1]
    if (layer !== undefined && !this.#isBase()) this.layer = layer
  }

  #isBase(): boolean {
    return /^FROM\b/i.test(this.step?.instruction ?? '')
  }

  #endStage(): void {
    if (this.layer !== undefined) this.stages.push(this.layer)
    this.layer = undefined
  }
}

/** Docker puts what a step writes to standard error into red, piece by piece. */
const plain = (text: string): string =>
  text.startsWith('\u001b[91m') && text.endsWith('\u001b[0m') ? text.slice(5, -4) : text

/** Of a line that was drawn over and over (progress bars) the last state; of a very long one, pieces. */
function shortLines(line: string): string[] {
  const last = line.replace(/\r+$/, '').split('\r').at(-1) ?? ''
  const pieces: string[] = []
  for (let start = 0; start < last.length; start += maxLineLength) pieces.push(last.slice(start, start + maxLineLength))
  return pieces
}
