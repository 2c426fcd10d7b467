import { formatAddress, grown, tryParseAddress } from '@berth/core'

/** One field of many records, told apart from what they have in common. */
export interface Column {
  /** It can hold this value, and says it again as it was. */
  takes(value: unknown): boolean
  get(row: number): unknown
  put(row: number, value: unknown): void
}

export class NumberColumn implements Column {
  #values = new Float64Array(0)

  takes(value: unknown): boolean {
    return typeof value === 'number'
  }

  get(row: number): number | undefined {
    return this.#values[row]
  }

  put(row: number, value: unknown): void {
    this.#values = grown(this.#values, row + 1)
    this.#values[row] = value as number
  }
}

/** Texts of which there are few: names of nodes. */
export class TextColumn implements Column {
  readonly #known = new Map<string, number>()
  readonly #texts: string[] = []
  #values = new Uint32Array(0)

  takes(value: unknown): boolean {
    return typeof value === 'string' && (this.#known.has(value) || this.#texts.length < mostTexts)
  }

  get(row: number): string | undefined {
    return this.#texts[this.#values[row] ?? 0]
  }

  put(row: number, value: unknown): void {
    const text = value as string
    let number = this.#known.get(text)
    if (number === undefined) {
      number = this.#texts.push(text) - 1
      this.#known.set(text, number)
    }
    this.#values = grown(this.#values, row + 1)
    this.#values[row] = number
  }
}

/** Names are not given back: beyond so many, a record holds its own. */
const mostTexts = 100_000

/** IPv4 addresses. */
export class AddressColumn implements Column {
  #values = new Uint32Array(0)

  takes(value: unknown): boolean {
    if (typeof value !== 'string') return false
    const number = tryParseAddress(value)
    return number !== undefined && formatAddress(number) === value
  }

  get(row: number): string {
    return formatAddress(this.#values[row] ?? 0)
  }

  put(row: number, value: unknown): void {
    this.#values = grown(this.#values, row + 1)
    this.#values[row] = tryParseAddress(value as string) ?? 0
  }
}

const digestBytes = 32
const digestPattern = /^[0-9a-f]{64}$/

/** Numbers of containers and images: 64 hexadecimal digits. */
export class DigestColumn implements Column {
  #bytes = Buffer.alloc(0)

  takes(value: unknown): boolean {
    return typeof value === 'string' && digestPattern.test(value)
  }

  get(row: number): string {
    return this.#bytes.toString('hex', row * digestBytes, (row + 1) * digestBytes)
  }

  put(row: number, value: unknown): void {
    const end = (row + 1) * digestBytes
    if (end > this.#bytes.length) {
      const longer = Buffer.alloc(Math.max(end, this.#bytes.length * 2))
      longer.set(this.#bytes)
      this.#bytes = longer
    }
    this.#bytes.write(value as string, row * digestBytes, digestBytes, 'hex')
  }
}
