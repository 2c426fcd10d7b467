import type { AddressBlock } from '../network/address-block.ts'
import type { AddressBlock6 } from '../network/address6.ts'

export type PolicyAction = 'allow' | 'deny'
export const policyProtocols = ['tcp', 'udp', 'icmp', 'icmpv6'] as const
export type PolicyProtocol = (typeof policyProtocols)[number]

/** Both ends included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

export type PolicyNet =
  | { readonly family: 4; readonly block: AddressBlock }
  | { readonly family: 6; readonly block: AddressBlock6 }

/** One side of a packet: what it must be for a rule to match. What is absent is any. */
export interface PolicyPeer {
  readonly tag?: string
  readonly net?: PolicyNet
  /** Sorted, disjoint, not touching. Only with tcp and udp. */
  readonly ports?: readonly PortRange[]
}

/** All of its parts must hold. */
export interface PolicyRule {
  readonly action: PolicyAction
  readonly protocol?: PolicyProtocol
  readonly source: PolicyPeer
  readonly destination: PolicyPeer
  /** Only with icmp and icmpv6. */
  readonly icmpType?: number
  readonly icmpCode?: number
}

/** A security profile: the tags an instance bears and the rules that it obeys. The first rule that matches decides; behind the last is a drop. */
export interface Profile {
  readonly name: string
  /** Sorted, each once. */
  readonly tags: readonly string[]
  readonly inbound: readonly PolicyRule[]
  readonly outbound: readonly PolicyRule[]
}

/** Holds, where it exists, for every instance that names none. */
export const defaultProfileName = 'default'
/** An instance's: names of chains are made of theirs. */
export const maxProfiles = 5
export const maxRules = 1000

const policyName = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/
const dottedNumbers = /^[0-9.]+$/
const wordsOfRules = new Set(['any', 'allow', 'deny', 'from', 'to', ...policyProtocols])

export const profileNameRule =
  'letters, digits, `.`, `_` and `-`, at most 40 of them, with a letter or a digit at both ends'
export const tagNameRule =
  'letters, digits, `.`, `_` and `-`, at most 63 of them, with a letter or a digit at both ends'

/** What a rule in words could mistake for something else is no name. */
const isPolicyName = (text: string): boolean =>
  policyName.test(text) && !dottedNumbers.test(text) && !wordsOfRules.has(text)

export const isProfileName = (text: string): boolean => text.length <= 40 && isPolicyName(text)
export const isTagName = (text: string): boolean => text.length <= 63 && isPolicyName(text)

/** The profiles that an instance obeys, of those that it names. */
export function profilesInForce(named: readonly string[], exists: (name: string) => boolean): readonly string[] {
  if (named.length > 0) return named
  return exists(defaultProfileName) ? [defaultProfileName] : []
}

/** Tags that its rules ask for. */
export function mentionedTags({ inbound, outbound }: Profile): Set<string> {
  const rules = [...inbound, ...outbound]
  return new Set(
    rules.flatMap(({ source, destination }) => [source.tag, destination.tag].filter((tag) => tag !== undefined)),
  )
}
