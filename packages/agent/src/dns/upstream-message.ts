import { writeEdns } from './answer-template.ts'
import {
  codeOf,
  ednsBytes,
  flag,
  forEachRecord,
  headerBytes,
  loopMarkBytes,
  loopMarkOption,
  type Query,
  questionKey,
  type RecordPlace,
  recordType,
  responseCode,
  skipName,
} from './message.ts'

/** Longest that an answer, or the news that there is none, is kept, whatever its owner says. */
const maxTtlSeconds = 300
const maxNegativeTtlSeconds = 30

/** Another resolver's answer, made ready to be sent to any asker of the same question. */
export interface UpstreamAnswer {
  /** Without the OPT record, which is between two neighbours. Its id is 0. */
  readonly message: Buffer
  readonly questionEnd: number
  readonly code: number
  readonly truncated: boolean
  readonly ttlOffsets: readonly number[]
  /** How long it may be kept; 0: not at all. */
  readonly ttlSeconds: number
}

/** The query as we ask it: our own id and EDNS, the asker's case, recursion and DNSSEC wishes. By `loopMark` we know it should it come back. */
export function encodeUpstreamQuery(query: Query, id: number, loopMark: string): Buffer {
  const message = Buffer.alloc(query.questionEnd + ednsBytes + 4 + loopMarkBytes)
  query.packet.copy(message, 0, 0, query.questionEnd)
  message.writeUInt16BE(id, 0)
  message.writeUInt16BE(flag.recursionDesired | (query.flags & flag.checkingDisabled), 2)
  message.writeUInt16BE(1, 4)
  message.fill(0, 6, headerBytes)
  message.writeUInt16BE(1, 10)
  writeEdns(message, query.questionEnd)
  if (query.dnssecOk) message[query.questionEnd + 7] = 0x80
  writeLoopMark(message, query.questionEnd + ednsBytes, loopMark)
  return message
}

/** As the only option of the OPT record that ends at `offset`. */
function writeLoopMark(message: Buffer, offset: number, loopMark: string): void {
  message.writeUInt16BE(4 + loopMarkBytes, offset - 2)
  message.writeUInt16BE(loopMarkOption, offset)
  message.writeUInt16BE(loopMarkBytes, offset + 2)
  message.write(loopMark, offset + 4, 'hex')
}

/** undefined for anything that is no answer to `query`: another question, another id, broken, or not an answer at all. */
export function readUpstreamAnswer(message: Buffer, query: Query, id: number): UpstreamAnswer | undefined {
  const { questionEnd } = query
  if (message.length < questionEnd || message.readUInt16BE(0) !== id) return undefined
  const flags = message.readUInt16BE(2)
  if ((flags & flag.response) === 0 || message.readUInt16BE(4) !== 1) return undefined
  if (skipName(message, headerBytes) !== questionEnd - 4) return undefined
  if (questionKey({ packet: message, questionEnd }) !== questionKey(query)) return undefined
  const counts = [6, 8, 10].map((offset) => message.readUInt16BE(offset))
  const [answers = 0, authority = 0, additional = 0] = counts
  const found: Found = {
    ttlOffsets: [],
    leastTtl: maxTtlSeconds,
    additional: 0,
    end: questionEnd,
    hasEdns: false,
    hasAuthority: false,
  }
  const whole = forEachRecord(message, questionEnd, answers + authority + additional, (record, index) => {
    const isAdditional = index >= answers + authority
    noteRecord(found, message, record, isAdditional ? 'additional' : answers === 0 ? 'negative' : 'positive')
  })
  if (!whole) return undefined
  const kept = Buffer.from(message.subarray(0, found.end))
  kept.writeUInt16BE(0, 0)
  kept.writeUInt16BE(found.additional, 10)
  const code = codeOf(message)
  const truncated = (flags & flag.truncated) !== 0
  const isNews = code === responseCode.noError || code === responseCode.nameError
  const mayKeep = isNews && !truncated && (answers > 0 || found.hasAuthority)
  return {
    message: kept,
    questionEnd,
    code,
    truncated,
    ttlOffsets: found.ttlOffsets,
    ttlSeconds: mayKeep ? found.leastTtl : 0,
  }
}

interface Found {
  readonly ttlOffsets: number[]
  leastTtl: number
  /** How many additional records are kept: those before the OPT record, which is usually the last. Nothing points behind itself. */
  additional: number
  end: number
  hasEdns: boolean
  hasAuthority: boolean
}

function noteRecord(
  found: Found,
  message: Buffer,
  record: RecordPlace,
  section: 'positive' | 'negative' | 'additional',
): void {
  found.hasEdns ||= record.type === recordType.OPT
  if (found.hasEdns) return
  if (section === 'additional') found.additional++
  found.end = record.end
  found.ttlOffsets.push(record.ttlOffset)
  found.leastTtl = Math.min(found.leastTtl, record.ttl)
  if (section === 'negative' && record.type === recordType.SOA && record.end - record.dataOffset >= 20) {
    found.hasAuthority = true
    found.leastTtl = Math.min(found.leastTtl, message.readUInt32BE(record.end - 4), maxNegativeTtlSeconds)
  }
}

/** The answer for one asker: its id, its spelling of the name, time to live less what has passed, no more than it takes. */
export function encodeForwardedAnswer(query: Query, answer: UpstreamAnswer, ageSeconds: number, limit: number): Buffer {
  const tail = query.hasEdns ? ednsBytes : 0
  const fits = answer.message.length + tail <= limit
  const body = fits ? answer.message : answer.message.subarray(0, answer.questionEnd)
  const message = Buffer.allocUnsafe(body.length + tail)
  body.copy(message)
  query.packet.copy(message, 0, 0, 2)
  query.packet.copy(message, headerBytes, headerBytes, query.questionEnd)
  const flags = (answer.message.readUInt16BE(2) & ~flag.recursionDesired) | (query.flags & flag.recursionDesired)
  message.writeUInt16BE(flags | flag.recursionAvailable | (fits ? 0 : flag.truncated), 2)
  if (fits) {
    for (const offset of answer.ttlOffsets) {
      message.writeUInt32BE(Math.max(0, message.readUInt32BE(offset) - ageSeconds), offset)
    }
  } else message.fill(0, 6, headerBytes)
  if (query.hasEdns) {
    writeEdns(message, body.length)
    message.writeUInt16BE(message.readUInt16BE(10) + 1, 10)
  }
  return message
}
