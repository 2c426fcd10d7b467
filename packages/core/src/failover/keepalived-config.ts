import { formatAddress, parseAddress } from '../network/address-block.ts'
import { formatAddress6, parseAddress6 } from '../network/address6.ts'
import type { NodeFailoverAddress } from './failover-plan.ts'

type ByVrrp = Extract<NodeFailoverAddress, { readonly by: 'vrrp' }>

export interface KeepalivedInput {
  /** The node's own address, and the interface that has it. */
  readonly source: string
  readonly interface: string
  /** Each with the interface whose network it is of. */
  readonly held: readonly (ByVrrp & { readonly device: string })[]
  /** What this node announces while its gateway is well. */
  readonly announced: readonly string[]
  /** Programs of bash: the first says by its exit code whether the gateway answers, the second is told what became of an instance. */
  readonly check: string
  readonly note: string
  /** Who is preferred, and well again, takes an address back after so many seconds. */
  readonly backAfterSeconds: number
}

/** A link that leads nowhere, whose addresses BIRD announces. */
export const anycastLink = 'berth-anycast'
/** It has to have one of its own for keepalived to use it. */
export const anycastLinkAddress = '169.254.78.254'
/** Nobody listens there: who has no peers speaks with nobody, and not with everybody. */
const nobody = '127.0.0.1'
/** What is said in VRRP of an address of IPv6, since gateways know each other by addresses of IPv4. */
const placeholder = (router: number): string => `169.254.78.${router}/32 dev lo scope host`
const advertiseSeconds = 0.5

export const anycastInstance = 'anycast'

/** What keepalived calls it, and tells its notes of. */
export const failoverInstance = ({ router }: Pick<ByVrrp, 'router'>): string => `address-${router}`

/**
 * keepalived's configuration, as `docs/design/failover.md` has it. Addresses and numbers are printed from their parsed form, and names of
 * interfaces come from the kernel, so nothing of this text is somebody's.
 */
export function renderKeepalivedConfig(input: KeepalivedInput): string {
  const { check, held, announced } = input
  return [
    '# Made by Berth; what is written here by others is lost.',
    'global_defs {',
    '  router_id berth',
    '  vrrp_version 3',
    '  enable_script_security',
    '  script_user root',
    '  max_auto_priority -1',
    '}',
    'vrrp_script gateway {',
    `  script "${script(check)}"`,
    // Somebody who knows nothing yet takes nothing.
    '  interval 1',
    '  timeout 2',
    '  fall 2',
    '  rise 2',
    '  init_fail',
    '}',
    ...held.toSorted((a, b) => a.router - b.router).flatMap((each) => heldPart(each, input)),
    ...(announced.length === 0 ? [] : announcedPart(input)),
    '',
  ].join('\n')
}

function heldPart(each: KeepalivedInput['held'][number], input: KeepalivedInput): string[] {
  const { address, router, priority, peers, device } = each
  const isIpv6 = address.includes(':')
  const text = `${textOf(address)} dev ${device}`
  const links = [...new Set([input.interface, device])]
  return [
    `vrrp_instance ${failoverInstance(each)} {`,
    '  state BACKUP',
    `  interface ${input.interface}`,
    `  virtual_router_id ${router}`,
    `  priority ${priority}`,
    `  advert_int ${advertiseSeconds}`,
    `  preempt_delay ${input.backAfterSeconds}`,
    `  unicast_src_ip ${plain(input.source)}`,
    ...list('unicast_peer', peers.length === 0 ? [nobody] : peers.map(plain)),
    ...(peers.length === 0 ? [] : ['  check_unicast_src']),
    ...list(
      'track_interface',
      links.filter((link) => link !== input.interface),
    ),
    ...list('virtual_ipaddress', [isIpv6 ? placeholder(router) : text]),
    ...(isIpv6 ? list('virtual_ipaddress_excluded', [text]) : []),
    ...common(input),
    '}',
  ]
}

/** VRRP with nobody: the addresses are there while the gateway is well, whether an agent is there or not. */
const announcedPart = (input: KeepalivedInput): string[] => [
  `vrrp_instance ${anycastInstance} {`,
  '  state BACKUP',
  `  interface ${anycastLink}`,
  '  virtual_router_id 255',
  '  priority 100',
  `  advert_int ${advertiseSeconds}`,
  ...list('virtual_ipaddress', [placeholder(0)]),
  ...list(
    'virtual_ipaddress_excluded',
    input.announced.toSorted().map((each) => `${textOf(each)} dev ${anycastLink}`),
  ),
  ...common(input),
  '}',
]

const common = ({ note }: KeepalivedInput): string[] => [
  ...list('track_script', ['gateway']),
  `  notify "${script(note)}"`,
]

/** By its reader, since what is in memory may not be run by itself. */
function script(path: string): string {
  if (!/^[\w./-]+$/.test(path)) throw new TypeError(`keepalived could not read the path ${path}`)
  return `/bin/bash ${path}`
}

const list = (name: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : [`  ${name} {`, ...items.map((each) => `    ${each}`), '  }']

const plain = (address: string): string => formatAddress(parseAddress(address))

/** Alone in its network: it is no source of what the node itself sends. */
const textOf = (address: string): string =>
  address.includes(':') ? `${formatAddress6(parseAddress6(address))}/128` : `${plain(address)}/32`
