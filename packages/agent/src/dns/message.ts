/** Reading of DNS messages (RFC 1035, RFC 6891) without taking them apart: answers echo the question's bytes as they came. */

export const headerBytes = 12
/** What every client takes over UDP, and the most that is sent to those that ask for more (no fragments on any usual path). */
export const minUdpBytes = 512
export const maxUdpBytes = 1232
/** Of an OPT record without options. */
export const ednsBytes = 11
/** An EDNS option of our own, of those for local use: who passed a question on to whom, in bytes that nobody else has. */
export const loopMarkOption = 65_077
export const loopMarkBytes = 8

export const recordType = {
  A: 1,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const
export const recordClass = { IN: 1, ANY: 255 } as const
export const responseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const

/** Bits of the second 16-bit word. */
export const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const
const opcodeMask = 0x7800
const responseCodeMask = 0x000f

export interface Query {
  readonly packet: Buffer
  /** Just behind the question's class. */
  readonly questionEnd: number
  readonly type: number
  readonly class: number
  readonly flags: number
  readonly hasEdns: boolean
  readonly dnssecOk: boolean
  /** The longest answer that the asker takes over UDP. */
  readonly udpBytes: number
  /** A netd asked a resolver this, and that brought it here. In hexadecimal digits; absent: nobody says so. */
  readonly loopMark: string | undefined
}

export type ReadResult =
  | { readonly kind: 'query'; readonly query: Query }
  /** Answered with a header that has this code and nothing else. */
  | { readonly kind: 'rejected'; readonly code: number }
  /** No answer: too broken, or itself an answer (two servers would answer each other for ever). */
  | { readonly kind: 'malformed' }

const malformed: ReadResult = { kind: 'malformed' }

export function readQuery(packet: Buffer): ReadResult {
  if (packet.length < headerBytes) return malformed
  const flags = packet.readUInt16BE(2)
  if ((flags & flag.response) !== 0) return malformed
  if ((flags & opcodeMask) !== 0) return { kind: 'rejected', code: responseCode.notImplemented }
  if (packet.readUInt16BE(4) !== 1) return { kind: 'rejected', code: responseCode.formatError }
  const nameEnd = skipPlainName(packet, headerBytes)
  if (nameEnd < 0 || nameEnd + 4 > packet.length) return malformed
  // Records that a query should not have are skipped, as long as they can be.
  const edns = findEdns(packet, nameEnd + 4, packet.readUInt16BE(6) + packet.readUInt16BE(8), packet.readUInt16BE(10))
  if (edns === undefined) return malformed
  return {
    kind: 'query',
    query: {
      packet,
      questionEnd: nameEnd + 4,
      type: packet.readUInt16BE(nameEnd),
      class: packet.readUInt16BE(nameEnd + 2),
      flags,
      hasEdns: edns.found,
      dnssecOk: edns.dnssecOk,
      udpBytes: edns.udpBytes,
      loopMark: edns.loopMark,
    },
  }
}

/** Behind a name without compression, as a question's is; -1 when it is none. */
function skipPlainName(packet: Buffer, start: number): number {
  let offset = start
  while (offset < packet.length) {
    const length = packet[offset] as number
    offset += length + 1
    if (length === 0) return offset - start > 255 ? -1 : offset
    if (length > 63) return -1
  }
  return -1
}

/** Behind a name that may be compressed; -1 when it is none. */
export function skipName(packet: Buffer, start: number): number {
  let offset = start
  while (offset < packet.length) {
    const length = packet[offset] as number
    if (length >= 0xc0) return offset + 2 <= packet.length ? offset + 2 : -1
    if (length > 63) return -1
    offset += length + 1
    if (length === 0) return offset
  }
  return -1
}

interface Edns {
  readonly found: boolean
  readonly dnssecOk: boolean
  readonly udpBytes: number
  readonly loopMark: string | undefined
}

const noEdns: Edns = { found: false, dnssecOk: false, udpBytes: minUdpBytes, loopMark: undefined }

/** undefined when a record runs out of the message. */
function findEdns(packet: Buffer, start: number, others: number, additional: number): Edns | undefined {
  if (others + additional === 0) return noEdns
  let edns = noEdns
  const whole = forEachRecord(packet, start, others + additional, (record) => {
    if (record.type !== recordType.OPT) return
    const size = Math.min(Math.max(record.class, minUdpBytes), maxUdpBytes)
    const loopMark = findLoopMark(packet, record)
    edns = { found: true, dnssecOk: (record.ttl & 0x8000) !== 0, udpBytes: size, loopMark }
  })
  return whole ? edns : undefined
}

function findLoopMark(packet: Buffer, { dataOffset, end }: RecordPlace): string | undefined {
  let offset = dataOffset
  while (offset + 4 <= end) {
    const [option, start] = [packet.readUInt16BE(offset), offset + 4]
    offset = start + packet.readUInt16BE(offset + 2)
    if (option === loopMarkOption && offset - start === loopMarkBytes && offset <= end)
      return packet.toString('hex', start, offset)
  }
  return undefined
}

export interface RecordPlace {
  readonly start: number
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly ttlOffset: number
  readonly dataOffset: number
  readonly end: number
}

/** False when a record runs out of the message. */
export function forEachRecord(
  packet: Buffer,
  start: number,
  count: number,
  visit: (record: RecordPlace, index: number) => void,
): boolean {
  let offset = start
  for (let index = 0; index < count; index++) {
    const nameEnd = skipName(packet, offset)
    if (nameEnd < 0 || nameEnd + 10 > packet.length) return false
    const end = nameEnd + 10 + packet.readUInt16BE(nameEnd + 8)
    if (end > packet.length) return false
    visit(
      {
        start: offset,
        type: packet.readUInt16BE(nameEnd),
        class: packet.readUInt16BE(nameEnd + 2),
        ttl: packet.readUInt32BE(nameEnd + 4),
        ttlOffset: nameEnd + 4,
        dataOffset: nameEnd + 10,
        end,
      },
      index,
    )
    offset = end
  }
  return true
}

/**
 * The question's name in lower case, `web.shop.berth`. A dot or a byte outside of ASCII within a label is written so that it equals no
 * name of Berth's.
 */
export function readName(packet: Buffer, start = headerBytes): string {
  const labels: string[] = []
  let offset = start
  for (;;) {
    const length = packet[offset] ?? 0
    if (length === 0) return lowerCase(labels.join('.'))
    labels.push(packet.toString('latin1', offset + 1, offset + 1 + length).replaceAll('.', '\\.'))
    offset += length + 1
  }
}

/** Only A to Z change, as RFC 4343 has it; lengths of labels are below them. */
const lowerCase = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** Equal for questions that ask the same, whatever the case of their names. Most have none that matters, and cost one string. */
export function questionKey({ packet, questionEnd }: Pick<Query, 'packet' | 'questionEnd'>): string {
  const asWritten = packet.toString('latin1', headerBytes, questionEnd)
  return /[A-Z]/.test(asWritten) ? lowerCase(asWritten.slice(0, -4)) + asWritten.slice(-4) : asWritten
}

export const codeOf = (packet: Buffer): number => packet.readUInt16BE(2) & responseCodeMask

/** An answer that says no more than `code`. With `questionEnd` it repeats the question; without, it is a header alone. */
export function encodeRefusal(packet: Buffer, code: number, questionEnd = headerBytes): Buffer {
  const answer = Buffer.from(packet.subarray(0, questionEnd))
  const kept = packet.readUInt16BE(2) & (opcodeMask | flag.recursionDesired)
  answer.writeUInt16BE(flag.response | flag.recursionAvailable | kept | code, 2)
  answer.fill(0, 4, headerBytes)
  if (questionEnd > headerBytes) answer.writeUInt16BE(1, 4)
  return answer
}
