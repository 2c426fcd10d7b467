/**
 * As much of Protocol Buffers' wire form (https://protobuf.dev/programming-guides/encoding/) as etcd's calls need. A message is described
 * by a table of its fields; what a table does not name is skipped when read. Whole numbers that may not fit a double are decimal texts.
 */
type Kind = 'bytes' | 'string' | 'bool' | 'int' | 'int64' | 'uint64'

interface Field {
  readonly number: number
  readonly kind: Kind | (() => AnyCodec)
  readonly repeated: boolean
}

export interface Codec<T> {
  encode(message: T): Buffer
  decode(bytes: Buffer): T
}

interface AnyCodec {
  encode(message: never): Buffer
  decode(bytes: Buffer): unknown
}

const field = (number: number, kind: Field['kind']): Field => ({ number, kind, repeated: false })

export const bytes = (number: number): Field => field(number, 'bytes')
export const string = (number: number): Field => field(number, 'string')
export const bool = (number: number): Field => field(number, 'bool')
/** Revisions, counts, enumerations: fails beyond 2^53. */
export const int = (number: number): Field => field(number, 'int')
/** Ids of leases, signed, as decimal text. */
export const int64 = (number: number): Field => field(number, 'int64')
/** Ids of members and clusters, as decimal text. */
export const uint64 = (number: number): Field => field(number, 'uint64')
export const nested = (number: number, codec: () => AnyCodec): Field => field(number, codec)
export const repeated = (of: Field): Field => ({ ...of, repeated: true })

const wireVarint = 0
const wireFixed64 = 1
const wireBytes = 2
const wireFixed32 = 5

export function message<T extends object>(fields: { readonly [K in keyof Required<T>]: Field }): Codec<T> {
  const table = Object.entries<Field>(fields)
  const byNumber = new Map(table.map((entry) => [entry[1].number, entry]))
  const encode = (value: T): Buffer => {
    const parts: Buffer[] = []
    for (const [name, described] of table) {
      const given = (value as Record<string, unknown>)[name]
      if (given === undefined) continue
      for (const one of described.repeated ? (given as unknown[]) : [given]) encodeField(described, one, parts)
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }
  const decode = (buffer: Buffer): T => {
    const result: Record<string, unknown> = {}
    for (const [name, { kind, repeated: many }] of table) result[name] = many ? [] : emptyOf(kind)
    const reader = new Reader(buffer)
    while (!reader.atEnd) {
      const tag = Number(reader.varint())
      const found = byNumber.get(Math.floor(tag / 8))
      if (found === undefined) {
        reader.skip(tag % 8)
        continue
      }
      const [name, { kind, repeated: many }] = found
      if (many && tag % 8 === wireBytes && isPacked(kind)) {
        const packed = new Reader(reader.chunk())
        while (!packed.atEnd) (result[name] as unknown[]).push(decodeValue(kind, packed))
      } else if (many) (result[name] as unknown[]).push(decodeValue(kind, reader))
      else result[name] = decodeValue(kind, reader)
    }
    return result as T
  }
  return { encode, decode }
}

const isPacked = (kind: Field['kind']): boolean => typeof kind !== 'function' && kind !== 'bytes' && kind !== 'string'

function emptyOf(kind: Field['kind']): unknown {
  switch (kind) {
    case 'bytes':
      return Buffer.alloc(0)
    case 'string':
      return ''
    case 'bool':
      return false
    case 'int':
      return 0
    case 'int64':
    case 'uint64':
      return '0'
    default:
      return undefined
  }
}

function encodeField({ number, kind }: Field, value: unknown, parts: Buffer[]): void {
  if (kind === 'bytes' || kind === 'string' || typeof kind === 'function') {
    const payload =
      typeof kind === 'function'
        ? kind().encode(value as never)
        : typeof value === 'string'
          ? Buffer.from(value)
          : value
    parts.push(varint(number * 8 + wireBytes), varint((payload as Buffer).length), payload as Buffer)
    return
  }
  parts.push(varint(number * 8 + wireVarint))
  if (kind === 'bool') parts.push(varint(value ? 1 : 0))
  else if (kind === 'int')
    parts.push((value as number) < 0 ? bigVarint(BigInt(value as number)) : varint(value as number))
  else parts.push(bigVarint(BigInt(value as string)))
}

function varint(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value])
  const digits: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) digits.push((rest % 0x80) + 0x80)
  digits.push(rest)
  return Buffer.from(digits)
}

function bigVarint(value: bigint): Buffer {
  const digits: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 0x80n; rest >>= 7n) digits.push(Number(rest & 0x7fn) + 0x80)
  digits.push(Number(rest))
  return Buffer.from(digits)
}

function decodeValue(kind: Field['kind'], reader: Reader): unknown {
  switch (kind) {
    case 'bytes':
      return reader.chunk()
    case 'string':
      return reader.chunk().toString()
    case 'bool':
      return reader.varint() !== 0
    case 'int':
      return safeInteger(reader.varint())
    case 'int64':
      return BigInt.asIntN(64, BigInt(reader.varint())).toString()
    case 'uint64':
      return BigInt(reader.varint()).toString()
    default:
      return kind().decode(reader.chunk())
  }
}

function safeInteger(value: number | bigint): number {
  const number = typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : value
  if (!Number.isSafeInteger(number)) throw new RangeError(`the number ${value} does not fit 53 bits`)
  return number
}

/** A number of at most this many bytes of 7 bits is exact as a double. */
const exactBytes = 7

class Reader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  get atEnd(): boolean {
    return this.#at >= this.#buffer.length
  }

  varint(): number | bigint {
    const start = this.#at
    while (this.#byte() >= 0x80);
    const length = this.#at - start
    if (length > 10) throw new RangeError('a number is longer than 64 bits')
    if (length > exactBytes) return this.#bigVarint(start)
    let value = 0
    for (let index = this.#at - 1; index >= start; index--)
      value = value * 0x80 + ((this.#buffer[index] as number) & 0x7f)
    return value
  }

  chunk(): Buffer {
    const length = Number(this.varint())
    const end = this.#at + length
    if (end > this.#buffer.length) throw new RangeError('a message is cut off')
    const part = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return part
  }

  skip(wire: number): void {
    if (wire === wireVarint) this.varint()
    else if (wire === wireBytes) this.chunk()
    else if (wire === wireFixed64) this.#at += 8
    else if (wire === wireFixed32) this.#at += 4
    else throw new RangeError(`a field has the unknown form ${wire}`)
  }

  #byte(): number {
    if (this.atEnd) throw new RangeError('a message is cut off')
    return this.#buffer[this.#at++] as number
  }

  #bigVarint(start: number): bigint {
    let value = 0n
    for (let index = this.#at - 1; index >= start; index--)
      value = (value << 7n) | BigInt((this.#buffer[index] as number) & 0x7f)
    return value
  }
}
