import type { Assignment } from '@berth/core'
import { type NodeLan, nodeLinkNetwork, routedLinkOf } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestNamespace } from '../../policy/test-namespace.testing.ts'
import { type Exec, runCommand } from '../run-command.ts'
import { LanLinks } from './lan-links.ts'

const link = '169.254.80.2'
const address = '192.168.73.130'
const lan: NodeLan = {
  ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.73.0/24', range: '192.168.73.128/26' },
  slice: '192.168.73.128/29',
}
const instance = (network: string) => ({ instance: 'shop.production.web-1', network }) as Assignment
const both = [
  { name: 'lan', address },
  { name: nodeLinkNetwork, address: link },
]

let node: TestNamespace
let lans: NodeLan[]
let links: LanLinks
const exec: Exec = (file, args, options) => runCommand(...insideOf(file, args), options)
const insideOf = (file: string, args: readonly string[]): [string, string[]] => node.inside(file, ...args)
const routes = (): string => node.run(['ip', 'route', 'show', 'proto', '78'])

beforeEach(async () => {
  node = await TestNamespace.create()
  node.ip('address add 169.254.77.1/32 dev lo', `link add ${routedLinkOf(link)} type veth peer name berthc`)
  node.ip(`link set ${routedLinkOf(link)} up`, 'link set berthc up')
  lans = [lan]
  links = new LanLinks({ exec, log: pino({ level: 'silent' }), lans: () => lans })
})
afterEach(() => node[Symbol.asyncDispose]())

describe('LanLinks', () => {
  it('leads from the node to its own containers in a macvlan, and mends that', async () => {
    links.joined(instance('lan:lan'), both)
    await links.keep()
    const route = `${address} dev ${routedLinkOf(link)} scope link src 169.254.77.1`
    expect(routes()).toContain(route)
    expect(node.run(['ip', 'neigh', 'show', address])).toContain('lladdr be:00:a9:fe:50:02 PERMANENT')
    node.run(['ip', 'route', 'flush', 'proto', '78'])
    await links.keep()
    expect(routes()).toContain(route)
    links.forget('shop.production.web-1')
    node.run(['ip', 'route', 'flush', 'proto', '78'])
    await links.keep()
    expect(routes()).toBe('')
  })

  it('leads to the others when one has ended meanwhile', async () => {
    links.joined({ ...instance('lan:lan'), instance: 'gone' }, [
      { name: 'lan', address: '192.168.73.131' },
      { name: nodeLinkNetwork, address: '169.254.80.3' },
    ])
    links.joined(instance('lan:lan'), both)
    await links.keep()
    expect(routes()).toContain(`${address} dev ${routedLinkOf(link)}`)
    expect(routes()).not.toContain('192.168.73.131')
  })

  it.each([
    ['a flat network', () => (lans = [{ ...lan, mode: 'flat' }]), 'lan:lan', both],
    ['one that is in it as well', () => undefined, undefined, both],
    ['one that has no address yet', () => undefined, 'lan:lan', [{ name: 'lan' }, { name: nodeLinkNetwork }]],
    ['a network that is not known', () => (lans = []), 'lan:lan', both],
  ])('makes nothing for %s', async (_, prepare, network, networks) => {
    prepare()
    links.joined(instance(network as string), networks)
    await links.keep()
    expect(routes()).toBe('')
  })
})
