import { createHash } from 'node:crypto'
import { type CatalogCheck, type Node, outsideNode } from '@berth/core'
import type { State } from '../records/index.ts'
import type { KnownEntry } from './catalog.ts'

/** All sites; also where nodes are that say none. */
export const ownDatacenter = 'berth'

/** Answers as Consul writes them. Fields keep Consul's names. */
export class Shapes {
  readonly #state: State
  readonly #floor: () => number

  constructor(state: State, floor: () => number) {
    this.#state = state
    this.#floor = floor
  }

  siteOf({ node, site }: KnownEntry): string {
    return (node === undefined ? site : this.#state.nodes.get(node)?.labels.site) || ownDatacenter
  }

  node(name: string): NodeShape | undefined {
    const node = this.#state.nodes.get(name)
    return node === undefined ? undefined : this.#nodeShape(node)
  }

  nodes(): NodeShape[] {
    return this.#state.nodes
      .all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((node) => this.#nodeShape(node))
  }

  nodeOf(entry: KnownEntry): NodeShape {
    return (entry.node === undefined ? undefined : this.node(entry.node)) ?? this.outside(entry)
  }

  /** What stands on none of our nodes. */
  outside(entry: KnownEntry): NodeShape {
    const datacenter = this.siteOf(entry)
    return nodeShape(entry.node ?? outsideNode, entry.address, datacenter, {}, entry.modifyIndex)
  }

  /** As in `/v1/catalog/service/…`. */
  catalogService(entry: KnownEntry) {
    const node = this.nodeOf(entry)
    return {
      ...{ ID: node.ID, Node: node.Node, Address: node.Address, Datacenter: node.Datacenter },
      ...{ TaggedAddresses: node.TaggedAddresses, NodeMeta: node.Meta },
      ...{ ServiceKind: '', ServiceID: entry.id, ServiceName: entry.service, ServiceTags: entry.tags },
      ...{ ServiceAddress: entry.address, ServiceTaggedAddresses: taggedAddresses(entry), ServiceWeights: weights },
      ...{ ServiceMeta: entry.meta, ServicePort: entry.port, ServiceSocketPath: '', ServiceEnableTagOverride: false },
      ...{ ServiceProxy: proxy, ServiceConnect: {} },
      ...{ CreateIndex: entry.modifyIndex, ModifyIndex: entry.modifyIndex },
    }
  }

  /** As in `/v1/health/service/…`. */
  healthService(entry: KnownEntry) {
    return { Node: this.nodeOf(entry), Service: this.service(entry), Checks: this.checks(entry) }
  }

  service(entry: KnownEntry) {
    return {
      ...{ ID: entry.id, Service: entry.service, Tags: entry.tags, Address: entry.address },
      ...{ TaggedAddresses: taggedAddresses(entry), Meta: entry.meta, Port: entry.port, Weights: weights },
      ...{ EnableTagOverride: false, Proxy: proxy, Connect: {}, PeerName: '' },
      ...{ CreateIndex: entry.modifyIndex, ModifyIndex: entry.modifyIndex },
    }
  }

  /** Its node's before its own. */
  checks(entry: KnownEntry): CheckShape[] {
    const node = entry.node === undefined ? [] : this.nodeChecks(entry.node)
    return [...node, ...this.serviceChecks(entry)]
  }

  serviceChecks(entry: KnownEntry): CheckShape[] {
    return entry.checks.map((each) => checkShape(entry.node ?? outsideNode, each, entry, entry.modifyIndex))
  }

  /** That a server hears it. None of a node that is not there. */
  nodeChecks(node: string): CheckShape[] {
    if (!this.#state.nodes.has(node)) return []
    const isOnline = this.#state.nodeStatuses.get(node)?.online === true
    const check: CatalogCheck = {
      ...{ id: 'serfHealth', name: 'Serf Health Status', notes: '', type: '' },
      ...(isOnline
        ? { status: 'passing', output: 'Agent alive and reachable' }
        : { status: 'critical', output: 'Agent not live or unreachable' }),
    }
    return [checkShape(node, check, undefined, Math.max(this.#floor(), this.#state.nodes.modRevision(node)))]
  }

  #nodeShape({ name, address, labels }: Node): NodeShape {
    const index = Math.max(this.#floor(), this.#state.nodes.modRevision(name))
    return nodeShape(name, address, labels.site || ownDatacenter, labels, index)
  }
}

export interface NodeShape {
  readonly ID: string
  readonly Node: string
  readonly Address: string
  readonly Datacenter: string
  readonly TaggedAddresses: Readonly<Record<string, string>>
  readonly Meta: Readonly<Record<string, string>>
  readonly CreateIndex: number
  readonly ModifyIndex: number
}

export interface CheckShape {
  readonly Node: string
  readonly CheckID: string
  readonly Name: string
  readonly Status: CatalogCheck['status']
  readonly Notes: string
  readonly Output: string
  readonly ServiceID: string
  readonly ServiceName: string
  readonly ServiceTags: readonly string[]
  readonly Type: string
}

const weights = { Passing: 1, Warning: 1 }
const proxy = { Mode: '', MeshGateway: {}, Expose: {} }

const taggedAddresses = ({ address, port }: KnownEntry) => ({
  [address.includes(':') ? 'lan_ipv6' : 'lan_ipv4']: { Address: address, Port: port },
})

function nodeShape(
  name: string,
  address: string,
  datacenter: string,
  meta: Readonly<Record<string, string>>,
  index: number,
): NodeShape {
  return {
    ...{ ID: uuidOf(`node ${name}`), Node: name, Address: address, Datacenter: datacenter },
    ...{ TaggedAddresses: { lan: address, wan: address }, Meta: meta },
    ...{ CreateIndex: index, ModifyIndex: index },
  }
}

export function checkShape(
  node: string,
  check: CatalogCheck,
  of: Pick<KnownEntry, 'id' | 'service' | 'tags'> | undefined,
  index: number,
) {
  return {
    ...{ Node: node, CheckID: check.id, Name: check.name, Status: check.status, Notes: check.notes },
    ...{ Output: check.output, ServiceID: of?.id ?? '', ServiceName: of?.service ?? '', ServiceTags: of?.tags ?? [] },
    ...{ Type: check.type, Interval: '', Timeout: '', ExposedPort: 0, PeerName: '', Definition: {} },
    ...{ CreateIndex: index, ModifyIndex: index },
  }
}

/** The same for the same text. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
