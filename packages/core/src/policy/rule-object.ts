import { closest } from '../spec/closest.ts'
import type { IssueList, SpecPath } from '../spec/spec-issue.ts'
import { parseNet } from './policy-net.ts'
import {
  isTagName,
  type PolicyAction,
  type PolicyPeer,
  type PolicyProtocol,
  type PolicyRule,
  policyProtocols,
  tagNameRule,
} from './profile.ts'
import { readPorts, shown } from './read-ports.ts'

const fields = [
  ...['action', 'protocol', 'src_tag', 'src_net', 'src_ports'],
  ...['dst_tag', 'dst_net', 'dst_ports', 'icmp_type', 'icmp_code'],
]

type Written = Readonly<Record<string, unknown>>

/** A rule with Calico's fields. undefined when nothing can be made of it; mistakes are noted. */
export function readRuleObject(issues: IssueList, path: SpecPath, written: Written): PolicyRule {
  refuseUnknownKeys(issues, path, written, fields)
  const protocol = readChoice<PolicyProtocol>(issues, [...path, 'protocol'], written.protocol, policyProtocols)
  const icmpType = readByte(issues, [...path, 'icmp_type'], written.icmp_type)
  const icmpCode = readByte(issues, [...path, 'icmp_code'], written.icmp_code)
  return {
    action: readChoice<PolicyAction>(issues, [...path, 'action'], written.action, ['allow', 'deny']) ?? 'allow',
    ...(protocol === undefined ? {} : { protocol }),
    source: readSide(issues, path, 'src', written),
    destination: readSide(issues, path, 'dst', written),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  }
}

export function refuseUnknownKeys(issues: IssueList, path: SpecPath, written: Written, known: readonly string[]): void {
  for (const key of Object.keys(written)) {
    if (known.includes(key)) continue
    const near = closest(key, known)
    const suggestion = near === undefined ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`
    issues.add([...path, key], `unknown field ${JSON.stringify(key.slice(0, 80))}`, { suggestion, atKey: true })
  }
}

function readChoice<T extends string>(
  issues: IssueList,
  path: SpecPath,
  value: unknown,
  choices: readonly T[],
): T | undefined {
  if (value === undefined) return undefined
  const found = choices.find((choice) => choice === value)
  if (found !== undefined) return found
  const near = typeof value === 'string' ? closest(value, choices) : undefined
  const suggestion = near === undefined ? `one of ${choices.join(', ')}` : `did you mean "${near}"?`
  issues.add(path, `${shown(value)} is none of the possible values`, { suggestion })
  return undefined
}

function readSide(issues: IssueList, path: SpecPath, side: 'src' | 'dst', written: Written): PolicyPeer {
  const tag = readTag(issues, [...path, `${side}_tag`], written[`${side}_tag`])
  const netText = readText(issues, [...path, `${side}_net`], written[`${side}_net`])
  const net = netText === undefined ? undefined : issues.take([...path, `${side}_net`], parseNet(netText))
  const ports = readPorts(issues, [...path, `${side}_ports`], written[`${side}_ports`])
  return {
    ...(tag === undefined ? {} : { tag }),
    ...(net === undefined ? {} : { net }),
    ...(ports === undefined ? {} : { ports }),
  }
}

export function readText(issues: IssueList, path: SpecPath, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  issues.add(path, `expected a text, not ${shown(value)}`)
  return undefined
}

export function readTag(issues: IssueList, path: SpecPath, value: unknown): string | undefined {
  const text = readText(issues, path, value)
  if (text === undefined || isTagName(text)) return text
  issues.add(path, `${JSON.stringify(text.slice(0, 80))} is no tag: use ${tagNameRule}`)
  return undefined
}

function readByte(issues: IssueList, path: SpecPath, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255) return value
  issues.add(path, `${shown(value)} is out of range (0 to 255)`)
  return undefined
}
