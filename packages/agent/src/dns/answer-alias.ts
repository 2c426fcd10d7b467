import { encodeAnswer, encodeName, type FoundRecords, makeAliasTemplate } from './answer-template.ts'
import type { Forwarder } from './forwarder.ts'
import {
  flag,
  forEachRecord,
  headerBytes,
  minUdpBytes,
  type Query,
  recordClass,
  recordType,
  responseCode,
} from './message.ts'
import type { UpstreamAnswer } from './upstream-message.ts'

/**
 * The answer for a name that stands for somebody else's: that name, and the addresses that it has now, since askers do not look them up
 * themselves. undefined when nobody could say. What lies between, names that lead to others, is left out.
 */
export async function answerAlias(
  query: Query,
  target: string,
  forwarder: Forwarder,
  limit: number,
): Promise<Buffer | undefined> {
  const found = hasAddresses(query) ? await find(query.type, target, forwarder) : nothing
  return found === undefined ? undefined : encodeAnswer(query, makeAliasTemplate(target, found), 0, limit)
}

const hasAddresses = ({ type }: Query): boolean => type === recordType.A || type === recordType.AAAA

const nothing: FoundRecords = { code: responseCode.noError, type: recordType.A, data: [], ttlSeconds: 1 }

async function find(type: number, target: string, forwarder: Forwarder): Promise<FoundRecords | undefined> {
  const found = await forwarder.lookUp(questionFor(type, target))
  return found === undefined ? undefined : recordsOf(type, found.answer, found.ageSeconds)
}

/** undefined for an answer that says no more than that there is none to be had. */
function recordsOf(type: number, answer: UpstreamAnswer, ageSeconds: number): FoundRecords | undefined {
  const { message, questionEnd, code } = answer
  if (code !== responseCode.noError && code !== responseCode.nameError) return undefined
  const data: Buffer[] = []
  let ttlSeconds = maxTtlSeconds
  forEachRecord(message, questionEnd, message.readUInt16BE(6), (record) => {
    ttlSeconds = Math.min(ttlSeconds, record.ttl)
    const isOne = record.type === type && record.class === recordClass.IN
    if (isOne && record.end - record.dataOffset === addressBytes(type))
      data.push(message.subarray(record.dataOffset, record.end))
  })
  return { code, type, data, ttlSeconds: Math.max(1, ttlSeconds - ageSeconds) }
}

const maxTtlSeconds = 300
const addressBytes = (type: number): number => (type === recordType.A ? 4 : 16)

function questionFor(type: number, name: string): Query {
  const encoded = encodeName(name)
  const packet = Buffer.alloc(headerBytes + encoded.length + 4)
  packet.writeUInt16BE(flag.recursionDesired, 2)
  packet.writeUInt16BE(1, 4)
  encoded.copy(packet, headerBytes)
  packet.writeUInt16BE(type, packet.length - 4)
  packet.writeUInt16BE(recordClass.IN, packet.length - 2)
  return {
    ...{ packet, questionEnd: packet.length, type, class: recordClass.IN, flags: flag.recursionDesired },
    ...{ hasEdns: false, dnssecOk: false, udpBytes: minUdpBytes, loopMark: undefined },
  }
}
