import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BgpPeer, BgpPlan, type BgpSettings, defaultBgpSettings, type RoutesMode } from '@berth/core'
import { Scratch } from '../testing/scratch.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { NetSpace } from './net-space.testing.ts'
import { type Place, RoutedNode } from './routed-node.testing.ts'

export interface Told {
  readonly mode?: RoutesMode
  readonly settings?: Partial<BgpSettings>
  readonly peers?: readonly BgpPeer[]
  readonly labels?: (place: Place) => Readonly<Record<string, string>>
  /** Those that hear of it; the others have not yet. */
  readonly only?: readonly RoutedNode[]
}

/** Nodes with a switch between them, or with a router that speaks BGP and has a network for each. */
export class RoutedCluster implements AsyncDisposable {
  readonly scratch: Scratch
  readonly middle: NetSpace
  readonly nodes: RoutedNode[] = []

  private constructor(scratch: Scratch, middle: NetSpace) {
    this.scratch = scratch
    this.middle = middle
  }

  /** All in 10.9.0.0/24. */
  static async switched(count: number): Promise<RoutedCluster> {
    const cluster = await RoutedCluster.#begin()
    await cluster.middle.ip('link', 'add', 'switch', 'type', 'bridge')
    await cluster.middle.ip('link', 'set', 'switch', 'up')
    for (let number = 1; number <= count; number += 1) {
      const node = await cluster.#add({ name: `n${number}`, address: `10.9.0.${number}`, number })
      await node.host.connect('eth0', `${node.place.address}/24`, cluster.middle, `port${number}`)
      await cluster.middle.ip('link', 'set', `port${number}`, 'master', 'switch')
    }
    return cluster
  }

  /** Node 1 in 10.1.0.0/24, node 2 in 10.2.0.0/24, … */
  static async routed(count: number): Promise<RoutedCluster> {
    const cluster = await RoutedCluster.#begin()
    for (let number = 1; number <= count; number += 1) {
      const node = await cluster.#add({ name: `n${number}`, address: `10.${number}.0.1`, number })
      await node.host.connect('eth0', `10.${number}.0.1/24`, cluster.middle, `port${number}`, `10.${number}.0.254/24`)
      await node.host.ip('route', 'add', 'default', 'via', `10.${number}.0.254`)
    }
    return cluster
  }

  static async #begin(): Promise<RoutedCluster> {
    const scratch = new Scratch('routes')
    return new RoutedCluster(scratch, await NetSpace.make(scratch.dir))
  }

  async #add(place: Place): Promise<RoutedNode> {
    const node = await RoutedNode.make(place, this.scratch.dir)
    this.nodes.push(node)
    const places = this.nodes.map((each) => each.place)
    for (const each of this.nodes) each.knows(places)
    return node
  }

  /** Says to all that one of them has an address of another's block; undefined: who has the block has it. */
  async moveTo(address: string, bearer: RoutedNode | undefined): Promise<void> {
    for (const node of this.nodes) {
      const { addresses: _, ...network } = node.network
      const peers = network.peers.map(({ node: name, block, via }) => ({
        ...{ node: name, block, via },
        ...(name === bearer?.place.name ? { addresses: [address] } : {}),
      }))
      node.network = { ...network, peers, ...(node === bearer ? { addresses: [address] } : {}) }
      node.service.networkChanged()
      await node.checkStatic()
    }
  }

  /** Tells nodes what a server would. */
  async tell({ mode = 'bgp', settings = {}, peers = [], labels = () => ({}), only = this.nodes }: Told): Promise<void> {
    const plan = new BgpPlan({
      ...{ mode, settings: { ...defaultBgpSettings, ...settings }, peers },
      nodes: this.nodes.map(({ place }) => ({
        ...{ name: place.name, address: place.address, labels: labels(place), joinedAt: place.number },
      })),
    })
    for (const node of only) await node.apply(plan.of(node.place.name))
  }

  async whole(deadlineMs = 30_000): Promise<void> {
    for (const node of this.nodes)
      await waitUntil(
        `the sessions of ${node.place.name}`,
        () => node.isWhole(),
        deadlineMs,
        () => explain(node),
      )
  }

  /** Every node has a way to every other's block in the table that BIRD writes. */
  async learnedAll(deadlineMs = 30_000): Promise<void> {
    const others = this.nodes.length - 1
    for (const node of this.nodes) {
      const isThere = async (): Promise<boolean> => Object.keys(await node.learned()).length === others
      await waitUntil(`the routes of ${node.place.name}`, isThere, deadlineMs, () => explain(node))
    }
  }

  /** The router between them is a BIRD of its own, by this configuration. */
  async speakInTheMiddle(protocols: string): Promise<void> {
    const at = (name: string): string => join(this.scratch.dir, `router.${name}`)
    const text = `
      log "${at('log')}" all;
      router id 10.200.0.1;
      protocol device {}
      protocol direct { ipv4; }
      protocol kernel { ipv4 { export where source = RTS_BGP; }; }
      ${protocols}`
    await writeFile(at('conf'), text)
    await this.middle.run('bird', '-c', at('conf'), '-s', at('control'), '-P', at('pid'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]()
    await this.middle[Symbol.asyncDispose]()
    await this.scratch[Symbol.asyncDispose]()
  }
}

const explain = (node: RoutedNode): string => JSON.stringify([node.service.summary, node.problem])
