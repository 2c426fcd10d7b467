import { closest } from '../spec/closest.ts'
import type { IssueList, SpecPath } from '../spec/spec-issue.ts'
import { parseNet } from './policy-net.ts'
import {
  isTagName,
  type PolicyPeer,
  type PolicyProtocol,
  type PolicyRule,
  policyProtocols,
  tagNameRule,
} from './profile.ts'
import { joinRanges, readRange } from './read-ports.ts'

const grammar =
  'write [allow|deny] [tcp:PORTS|udp:PORTS|icmp:TYPE] [from TAG|NET] [to TAG|NET], such as `tcp:3306 from db-users`'
const actions = ['allow', 'deny']
const kinds = ['any', ...policyProtocols]

type What = Pick<PolicyRule, 'protocol' | 'icmpType' | 'icmpCode'> & Pick<PolicyPeer, 'ports'>

/** `deny tcp:25 to 10.0.0.0/8`: the short form of a rule. undefined when there was a mistake, which then is noted. */
export function readRuleWords(issues: IssueList, path: SpecPath, text: string): PolicyRule | undefined {
  const words = text.trim().split(/\s+/)
  const refuse = (message: string, suggestion = grammar): undefined => void issues.add(path, message, { suggestion })
  if (words[0] === '') return refuse('the rule is empty')
  const action = actions.includes(words[0] ?? '') ? words.shift() : 'allow'
  const isWhat = words[0] !== undefined && words[0] !== 'from' && words[0] !== 'to'
  const what: What | undefined = isWhat ? readWhat(issues, path, words.shift() ?? '') : {}
  const peers: { from?: PolicyPeer; to?: PolicyPeer } = {}
  while (words.length > 0) {
    const [side = '', name] = words.splice(0, 2)
    if (side !== 'from' && side !== 'to')
      return refuse(`"${side}" is nothing that a rule says here`, nearest(side, ['from', 'to']))
    if (name === undefined) return refuse(`"${side}" needs a tag or a network behind it`)
    if (peers[side] !== undefined) return refuse(`"${side}" is given twice`, 'write a second rule for the second one')
    const peer = readPeer(issues, path, name)
    if (peer === undefined) return undefined
    peers[side] = peer
  }
  if (what === undefined) return undefined
  const { ports, ...rest } = what
  const destination = { ...peers.to, ...(ports === undefined ? {} : { ports }) }
  return { action: action === 'deny' ? 'deny' : 'allow', ...rest, source: peers.from ?? {}, destination }
}

const nearest = (word: string, known: readonly string[]): string => {
  const near = closest(word, known)
  return near === undefined ? grammar : `did you mean "${near}"?`
}

/** `any`, `tcp`, `tcp:80,443,2048-4000`, `icmp:8/0` */
function readWhat(issues: IssueList, path: SpecPath, word: string): What | undefined {
  const colon = word.indexOf(':')
  const [kind, detail] = colon < 0 ? [word, undefined] : [word.slice(0, colon), word.slice(colon + 1)]
  if (!kinds.includes(kind)) {
    issues.add(path, `"${kind}" is no protocol`, { suggestion: nearest(kind, [...kinds, ...actions, 'from', 'to']) })
    return undefined
  }
  if (kind === 'any') {
    if (detail === undefined) return {}
    issues.add(path, 'a port needs a protocol', { suggestion: `write tcp:${detail} or udp:${detail}` })
    return undefined
  }
  const protocol = kind as PolicyProtocol
  if (detail === undefined) return { protocol }
  return protocol === 'tcp' || protocol === 'udp'
    ? readPortWords(issues, path, protocol, detail)
    : readIcmpWord(issues, path, protocol, detail)
}

function readPortWords(issues: IssueList, path: SpecPath, protocol: PolicyProtocol, detail: string): What | undefined {
  const ranges = detail.split(',').map((part) => readRange(issues, path, part, '-'))
  const ports = ranges.filter((range) => range !== undefined)
  return ports.length < ranges.length ? undefined : { protocol, ports: joinRanges(ports) }
}

function readIcmpWord(issues: IssueList, path: SpecPath, protocol: PolicyProtocol, detail: string): What | undefined {
  const [, type, code] = /^([0-9]{1,3})(?:\/([0-9]{1,3}))?$/.exec(detail) ?? []
  if (type !== undefined && Number(type) <= 255 && Number(code ?? 0) <= 255)
    return { protocol, icmpType: Number(type), ...(code === undefined ? {} : { icmpCode: Number(code) }) }
  issues.add(path, `"${detail}" is no type of ${protocol}`, {
    suggestion: `write ${protocol}:TYPE or ${protocol}:TYPE/CODE, each from 0 to 255`,
  })
  return undefined
}

function readPeer(issues: IssueList, path: SpecPath, word: string): PolicyPeer | undefined {
  if (/[/:]|^[0-9.]+$/.test(word)) {
    const net = issues.take(path, parseNet(word))
    return net === undefined ? undefined : { net }
  }
  if (isTagName(word)) return { tag: word }
  issues.add(path, `${JSON.stringify(word)} is no tag: use ${tagNameRule}`)
  return undefined
}
