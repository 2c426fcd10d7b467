import type { AddressPool } from './address-pool.ts'
import { poolOf } from './address-pool.ts'
import type { AddressReport, ContainerAddress, LeftOver } from './address-report.ts'

/** An address that the store says is an instance's. */
export interface AddressClaim {
  readonly address: string
  readonly instance: string
  readonly node: string
  /** By the word of its agent. */
  readonly isRunning: boolean
}

export interface AddressBooks {
  readonly claims: readonly AddressClaim[]
  /** Names of all nodes. */
  readonly nodes: ReadonlySet<string>
  readonly pools: readonly AddressPool[]
  /** By node; those that are not here are not compared. */
  readonly reports: ReadonlyMap<string, AddressReport>
}

export interface AddressFinding {
  readonly kind:
    | 'claimed-twice'
    | 'no-node'
    | 'no-pool'
    | 'not-there'
    | 'other-address'
    | 'not-claimed'
    | 'shared'
    | 'unlinked'
    | 'left'
  readonly message: string
  readonly address?: string
  readonly node?: string
  readonly instance?: string
  /** Held for nobody, so it is safe to take away; by its kind and what it is called. */
  readonly left?: LeftOver
}

/**
 * Where the store's claims and what nodes really have differ, in the order in which claims and nodes are given. Whatever is on its way for a
 * moment differs as well, so only what is found twice is worth telling.
 */
export function compareAddresses(books: AddressBooks): readonly AddressFinding[] {
  return [...claimFindings(books), ...sharedAddresses(books), ...[...books.reports].flatMap(nodeFindings(books))]
}

/** The same for the same difference, found again. */
export const findingKey = ({ kind, address, node, instance, left }: AddressFinding): string =>
  JSON.stringify([kind, address, node, instance, left?.kind, left?.name])

function claimFindings({ claims, nodes, pools }: AddressBooks): AddressFinding[] {
  const first = new Map<string, AddressClaim>()
  return claims.flatMap((claim): AddressFinding[] => {
    const { address, instance, node } = claim
    const other = first.get(address)
    if (other === undefined) first.set(address, claim)
    const subject = { address, node, instance }
    if (!nodes.has(node))
      return [
        { ...subject, kind: 'no-node', message: `${instance} holds ${address} on ${node}, which is no node any more` },
      ]
    if (other !== undefined)
      return [
        { ...subject, kind: 'claimed-twice', message: `${address} is given to ${other.instance} and to ${instance}` },
      ]
    if (poolOf(pools, address) === undefined)
      return [{ ...subject, kind: 'no-pool', message: `${instance} holds ${address}, which is in no address pool` }]
    return []
  })
}

interface Bearer extends ContainerAddress {
  readonly node: string
}

/** Of containers that run. */
function sharedAddresses({ claims, reports }: AddressBooks): AddressFinding[] {
  const bearers = new Map<string, Bearer[]>()
  for (const [node, { containers }] of reports)
    for (const each of containers) {
      if (!each.isRunning || each.address === undefined) continue
      bearers.set(each.address, [...(bearers.get(each.address) ?? []), { ...each, node }])
    }
  const claimed = new Map(claims.map((claim) => [claim.address, claim]))
  return [...bearers].flatMap(([address, [one, ...others]]): AddressFinding[] => {
    const claim = claimed.get(address)
    const other = others[0]
    if (one === undefined) return []
    if (other !== undefined)
      return [shared(one, `${address} is borne by ${nameOf(one)} and by ${nameOf(other)}: remove one of them`)]
    if (claim === undefined || one.instance !== undefined) return []
    return [shared(one, `${address} is given to ${claim.instance}, and ${nameOf(one)} bears it: remove that container`)]
  })
}

const shared = ({ node, address = '' }: Bearer, message: string): AddressFinding => ({
  kind: 'shared',
  address,
  node,
  message,
})

const nameOf = ({ name, node, instance }: Bearer): string =>
  `${instance === undefined ? 'the container ' : ''}${instance ?? name} on ${node}`

const nodeFindings =
  ({ claims }: AddressBooks) =>
  ([node, report]: [string, AddressReport]): AddressFinding[] => {
    const own = new Map(claims.filter((claim) => claim.node === node).map((claim) => [claim.instance, claim]))
    const unlinked = report.unlinked.map((address): AddressFinding => {
      const message = `the link of ${address} on ${node} is gone, and nothing reaches it: restart its container`
      return { kind: 'unlinked', address, node, message }
    })
    // Of what Docker does not say nothing can be missed.
    const ofContainers = report.engineProblem === undefined ? containerFindings(node, own, report.containers) : []
    return [...ofContainers, ...unlinked, ...report.left.map((left) => leftFinding(node, left))]
  }

function containerFindings(
  node: string,
  claims: ReadonlyMap<string, AddressClaim>,
  containers: readonly ContainerAddress[],
): AddressFinding[] {
  const running = containers.filter(({ isRunning, address }) => isRunning && address !== undefined)
  const found = running.flatMap(({ instance, address = '' }): AddressFinding[] => {
    if (instance === undefined) return []
    const claim = claims.get(instance)
    const subject = { address, node, instance }
    if (claim === undefined)
      return [
        {
          ...subject,
          kind: 'not-claimed',
          message: `${instance} runs on ${node} with ${address}, and the store knows of no such instance there`,
        },
      ]
    if (claim.address === address) return []
    return [
      {
        ...subject,
        kind: 'other-address',
        message: `${instance} on ${node} has ${address}, and the store has given it ${claim.address}: berth restart ${instance}`,
      },
    ]
  })
  const present = new Set(running.map(({ instance }) => instance))
  const missing = [...claims.values()].filter(({ isRunning, instance }) => isRunning && !present.has(instance))
  return [
    ...found,
    ...missing.map(({ address, instance }): AddressFinding => {
      const message = `${instance} is said to run on ${node} with ${address}, and no container there has it`
      return { kind: 'not-there', address, node, instance, message }
    }),
  ]
}

function leftFinding(node: string, left: LeftOver): AddressFinding {
  const { address } = left
  const of = address === undefined ? '' : ` with ${address}`
  return {
    ...{
      kind: 'left',
      node,
      left,
      message: `${leftWords[left.kind]} ${left.name}${of} on ${node} belongs to no container`,
    },
    ...(address === undefined ? {} : { address }),
  }
}

const leftWords: Readonly<Record<LeftOver['kind'], string>> = {
  endpoint: 'Docker’s endpoint',
  link: 'the link',
  veth: 'the link',
}
