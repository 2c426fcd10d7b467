import { BerthError } from '../model/berth-error.ts'
import { isName, nameRule } from '../model/names.ts'
import { formatAddress, tryParseAddress } from './address-block.ts'

/** How nodes learn the routes to each other's blocks. */
export type RoutesMode = 'static' | 'bgp' | 'cloud'

export interface BgpSettings {
  /** AS number of the nodes of sites that have none of their own. */
  readonly as: number
  readonly sites: Readonly<Record<string, number>>
  /** Up to so many nodes everybody speaks with everybody. */
  readonly meshUpTo: number
  /** For each site. */
  readonly reflectors: number
}

/** A speaker of BGP that is none of our nodes. */
export interface BgpPeer {
  readonly name: string
  readonly address: string
  readonly as: number
  /** Nodes that speak with it; absent: all. */
  readonly label?: { readonly name: string; readonly value: string }
  readonly password?: string
}

/** The first of the private numbers; BGP's own documents keep them for this. */
export const defaultBgpSettings: BgpSettings = { as: 64_512, sites: {}, meshUpTo: 50, reflectors: 2 }

const lastAs = 2 ** 32 - 2
const reserved: ReadonlySet<number> = new Set([23_456, 65_535])
const maxMesh = 200
const maxReflectors = 8
const maxPasswordLength = 80

/** Returns it, or throws `routing.invalid-as`. */
export function checkAs(as: number, of: string): number {
  if (Number.isInteger(as) && as >= 1 && as <= lastAs && !reserved.has(as)) return as
  throw new BerthError(
    'routing.invalid-as',
    `the AS number of ${of} cannot be ${as}: use 1 to ${lastAs}, but not 23456 or 65535; 64512 to 65534 are private`,
  )
}

/** Returns them, or throws `routing.invalid-as`, `routing.invalid-setting`. */
export function checkBgpSettings(settings: BgpSettings): BgpSettings {
  const { meshUpTo, reflectors } = settings
  checkAs(settings.as, 'the cluster')
  for (const [site, as] of Object.entries(settings.sites)) checkAs(as, `the site ${site}`)
  requireBetween('the largest mesh', meshUpTo, 2, maxMesh)
  requireBetween('the number of reflectors of a site', reflectors, 1, maxReflectors)
  return settings
}

function requireBetween(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw invalid('routing.invalid-setting', `${what} cannot be ${value}: choose ${least} to ${most}`)
}

/** Returns it with its address in one form, or throws `routing.invalid-peer`, `routing.invalid-as`. */
export function checkBgpPeer(peer: BgpPeer): BgpPeer {
  const refuse = (why: string): BerthError =>
    invalid('routing.invalid-peer', `peer ${JSON.stringify(peer.name)}: ${why}`)
  if (!isName(peer.name)) throw refuse(`a peer's name has ${nameRule}`)
  const address = tryParseAddress(peer.address)
  if (address === undefined) throw refuse(`${JSON.stringify(peer.address)} is no IPv4 address; write e.g. 10.0.0.1`)
  checkAs(peer.as, `the peer ${peer.name}`)
  if (peer.password !== undefined && !isBgpPassword(peer.password))
    throw refuse(
      `a password has 1 to ${maxPasswordLength} printable ASCII characters, without quotation marks and backslashes`,
    )
  return { ...peer, address: formatAddress(address) }
}

/** What TCP's MD5 option takes, and what BIRD's quotes hold. */
export const isBgpPassword = (text: string): boolean =>
  text.length <= maxPasswordLength && /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/.test(text)

const invalid = (code: string, message: string): BerthError => new BerthError(code, message)
