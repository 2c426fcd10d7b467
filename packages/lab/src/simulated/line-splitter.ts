/** Cuts a stream of bytes into lines. What a line says is not looked at, and nothing is kept of those that `onLine` does not keep. */
export class LineSplitter {
  readonly #onLine: (line: Buffer) => void
  #pending: Buffer[] = []

  constructor(onLine: (line: Buffer) => void) {
    this.#onLine = onLine
  }

  take(chunk: Buffer): void {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const rest = chunk.subarray(from, end)
      from = end + 1
      if (this.#pending.length === 0) this.#onLine(rest)
      else {
        this.#onLine(Buffer.concat([...this.#pending, rest]))
        this.#pending = []
      }
    }
    if (from < chunk.length) this.#pending.push(chunk.subarray(from))
  }
}
