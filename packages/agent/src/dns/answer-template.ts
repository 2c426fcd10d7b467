import { type NameAnswer, parseAddress, parseAddress6, type ServiceTarget } from '@berth/core'
import {
  ednsBytes,
  flag,
  headerBytes,
  maxUdpBytes,
  type Query,
  recordClass,
  recordType,
  responseCode,
} from './message.ts'

/** Long enough for a burst of look-ups to share one, short enough that a stopped instance is forgotten before it is missed. */
const ttlSeconds = 1

/** Records in wire form, one after another. `ends[i]` is where the i-th stops. */
interface Records {
  readonly bytes: Buffer
  readonly ends: readonly number[]
  /** So many of them come before the others, whoever's turn it is. Absent: none. */
  readonly near?: number
}

/** All of an answer but what it takes from its query: encoded once, sent many times. */
export interface AnswerTemplate {
  readonly code: number
  readonly answers: Records
  readonly authority: Records
  readonly additional: Records
}

const noRecords: Records = { bytes: Buffer.alloc(0), ends: [] }

/** The name in the question of the same message. */
const questionName = Buffer.from([0xc0, headerBytes])

export interface Zone {
  readonly domain: string
  readonly serial: number
}

export function makeTemplate(answer: Exclude<NameAnswer, { kind: 'elsewhere' | 'alias' }>, zone: Zone): AnswerTemplate {
  const found = { code: responseCode.noError, authority: noRecords, additional: noRecords }
  switch (answer.kind) {
    case 'addresses':
      return {
        ...found,
        answers: { ...join(answer.addresses.map((each) => encodeAddress(questionName, each))), near: answer.near ?? 0 },
      }
    case 'services':
      return {
        ...found,
        answers: join(answer.services.map(encodeService)),
        additional: join(answer.services.flatMap(encodeServiceAddresses)),
      }
    case 'pointer':
      return { ...found, answers: join([encodeRecord(questionName, recordType.PTR, encodeName(answer.name))]) }
    case 'empty':
      return { ...found, answers: noRecords, authority: join([encodeAuthority(zone)]) }
    case 'unknown':
      return { ...found, code: responseCode.nameError, answers: noRecords, authority: join([encodeAuthority(zone)]) }
    default:
      return answer satisfies never
  }
}

/** The zone's own record, asked for by type SOA at the domain itself. */
export const makeAuthorityTemplate = (zone: Zone): AnswerTemplate => ({
  code: responseCode.noError,
  answers: join([encodeAuthority(zone)]),
  authority: noRecords,
  additional: noRecords,
})

export const failureTemplate = (code: number): AnswerTemplate => ({
  code,
  answers: noRecords,
  authority: noRecords,
  additional: noRecords,
})

/** Another's name, and what has been found of it. */
export function makeAliasTemplate(target: string, found: FoundRecords): AnswerTemplate {
  const name = encodeName(target)
  const records = found.data.map((each) => encodeRecord(name, found.type, each, found.ttlSeconds))
  return {
    code: found.code,
    answers: join([encodeRecord(questionName, recordType.CNAME, name), ...records]),
    authority: noRecords,
    additional: noRecords,
  }
}

/** Records of one type and name. */
export interface FoundRecords {
  readonly code: number
  readonly type: number
  readonly data: readonly Buffer[]
  readonly ttlSeconds: number
}

function join(records: readonly Buffer[]): Records {
  const ends: number[] = []
  for (const record of records) ends.push((ends.at(-1) ?? 0) + record.length)
  return { bytes: Buffer.concat(records), ends }
}

function encodeRecord(name: Buffer, type: number, data: Buffer, ttl = ttlSeconds): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(recordClass.IN, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, fixed, data])
}

function encodeAddress(name: Buffer, address: string): Buffer {
  if (address.includes(':')) return encodeRecord(name, recordType.AAAA, bytesOf6(address))
  const data = Buffer.alloc(4)
  data.writeUInt32BE(parseAddress(address))
  return encodeRecord(name, recordType.A, data)
}

const bytesOf6 = (address: string): Buffer => Buffer.from(parseAddress6(address).toString(16).padStart(32, '0'), 'hex')

const encodeServiceAddresses = ({ name, addresses }: ServiceTarget): Buffer[] =>
  addresses.map((each) => encodeAddress(encodeName(name), each))

/** Who is far has a priority of its own; otherwise clients choose by chance. */
function encodeService(service: ServiceTarget): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt16BE(service.isFar === true ? 1 : 0, 0)
  head.writeUInt16BE(1, 2)
  head.writeUInt16BE(service.port, 4)
  return encodeRecord(questionName, recordType.SRV, Buffer.concat([head, encodeName(service.name)]))
}

/** Its last field is how long resolvers may remember that something is not there. */
function encodeAuthority({ domain, serial }: Zone): Buffer {
  const numbers = Buffer.alloc(20)
  const fields = [serial >>> 0, ttlSeconds, ttlSeconds, ttlSeconds, ttlSeconds]
  for (const [index, value] of fields.entries()) numbers.writeUInt32BE(value, index * 4)
  const data = Buffer.concat([encodeName(domain), encodeName(`hostmaster.${domain}`), numbers])
  return encodeRecord(encodeName(domain), recordType.SOA, data)
}

export function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  return Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.alloc(1)])
}

/**
 * The answer to one query. The records start with number `turn` (any integer, taken round) so that askers who take the first are spread. What
 * does not fit into `limit` bytes is left out and the answer marked, so that the asker comes back by TCP; additional records are
 * no loss.
 */
export function encodeAnswer(query: Query, template: AnswerTemplate, turn: number, limit: number): Buffer {
  const { answers, authority, additional } = template
  const { packet, questionEnd, hasEdns } = query
  const room = limit - questionEnd - (hasEdns ? ednsBytes : 0)
  const whole = answers.bytes.length + authority.bytes.length <= room
  const count = whole ? answers.ends.length : countFitting(answers, turn, room)
  const withAdditional = whole && answers.bytes.length + authority.bytes.length + additional.bytes.length <= room
  const message = Buffer.allocUnsafe(
    questionEnd + answers.bytes.length + authority.bytes.length + additional.bytes.length + ednsBytes,
  )
  packet.copy(message, 0, 0, questionEnd)
  let end = copyInTurn(answers, turn, count, message, questionEnd)
  if (whole) end += authority.bytes.copy(message, end)
  if (withAdditional) end += additional.bytes.copy(message, end)
  if (hasEdns) end = writeEdns(message, end)
  message.writeUInt16BE(answerFlags(query, template.code) | (whole ? 0 : flag.truncated), 2)
  message.writeUInt16BE(1, 4)
  message.writeUInt16BE(count, 6)
  message.writeUInt16BE(whole ? authority.ends.length : 0, 8)
  message.writeUInt16BE((withAdditional ? additional.ends.length : 0) + (hasEdns ? 1 : 0), 10)
  return message.subarray(0, end)
}

const answerFlags = (query: Query, code: number): number =>
  flag.response | flag.authoritative | flag.recursionAvailable | (query.flags & flag.recursionDesired) | code

const startOf = (records: Records, index: number): number => (index === 0 ? 0 : (records.ends[index - 1] as number))

function countFitting(records: Records, turn: number, room: number): number {
  const { near = 0, ends } = records
  let size = 0
  for (let count = 0; count < ends.length; count++) {
    const index = count < near ? (turn + count) % near : near + ((turn + count - near) % (ends.length - near))
    size += (ends[index] as number) - startOf(records, index)
    if (size > room) return count
  }
  return ends.length
}

/** Copies `count` records: first of the near ones, then of the others, of each from number `turn` on, past the last one from the first. */
function copyInTurn(records: Records, turn: number, count: number, target: Buffer, offset: number): number {
  const { near = 0, ends } = records
  const first = Math.min(count, near)
  const end = copyGroup(records, { from: 0, to: near }, turn, first, target, offset)
  return copyGroup(records, { from: near, to: ends.length }, turn, count - first, target, end)
}

function copyGroup(
  records: Records,
  { from, to }: { readonly from: number; readonly to: number },
  turn: number,
  count: number,
  target: Buffer,
  offset: number,
): number {
  if (count === 0) return offset
  const first = from + (turn % (to - from))
  const straight = Math.min(count, to - first)
  const end = offset + records.bytes.copy(target, offset, startOf(records, first), records.ends[first + straight - 1])
  if (count === straight) return end
  return end + records.bytes.copy(target, end, startOf(records, from), records.ends[from + count - straight - 1])
}

export function writeEdns(target: Buffer, offset: number): number {
  target[offset] = 0
  target.writeUInt16BE(recordType.OPT, offset + 1)
  target.writeUInt16BE(maxUdpBytes, offset + 3)
  target.fill(0, offset + 5, offset + ednsBytes)
  return offset + ednsBytes
}
