import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { macOf, routedGateway6, routedLinkOf, routedPeerOf, twinOf, twinRange } from '@berth/core'
import fc from 'fast-check'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createNetdFiles } from '../../dns/netd-files.ts'
import { netdStatePath } from '../../dns/netd-state.ts'
import { waitUntil } from '../../testing/wait-until.ts'
import type { Exec } from '../run-command.ts'
import { type ContainerPluginOptions, endpointDirectory, startContainerPlugin } from './container-plugin.ts'
import type { EndpointLinks } from './endpoint-links.ts'
import { EndpointRecords } from './endpoint-records.ts'

/** Links of a host as the kernel keeps them: one of a name, and the container's end there until it is taken into the container. */
class PretendedLinks implements EndpointLinks {
  readonly here = new Set<string>()
  readonly made: { link: string; mac: string; mtu: number; source: string; source6?: string; address6?: string }[] = []
  failure: Error | undefined

  async make(...[record, { mtu, source, source6 }]: Parameters<EndpointLinks['make']>): Promise<boolean> {
    const { link, peer, mac, address6 } = record
    if (this.failure !== undefined) throw this.failure
    if (this.here.has(link)) return false
    this.here.add(link).add(peer)
    const more = address6 === undefined || source6 === undefined ? {} : { address6, source6 }
    this.made.push({ link, mac, mtu, source, ...more })
    return true
  }

  async remove(link: string): Promise<void> {
    this.here.delete(link)
    this.here.delete(link.replace('berth-', 'berthc'))
  }

  exists = async (link: string): Promise<boolean> => this.here.has(link)
  list = async (): Promise<string[]> => {
    looks += 1
    return [...this.here].filter((link) => link.startsWith('berth-'))
  }

  takeIntoContainer(address: string): void {
    this.here.delete(routedPeerOf(address))
  }
}

/** The table of who is closed, as nft is told of it. */
class PretendedTable {
  readonly rulesets: string[] = []
  /** How many there were as each was put. */
  readonly linksThen: number[] = []
  listing: string | undefined
  failure: string | undefined
  readonly #links: () => number

  constructor(links: () => number) {
    this.#links = links
  }

  get closed(): string[] {
    return /set closed \{[^}]*elements = \{ ([^}]*) \}/.exec(this.rulesets.at(-1) ?? '')?.[1]?.split(', ') ?? []
  }

  readonly exec: Exec = async (file, args, options) => {
    if (file !== 'nft') return { code: 0, stdout: '', stderr: '' }
    const listed = this.listing
    if (args[0] === 'list') return { code: listed === undefined ? 1 : 0, stdout: listed ?? '', stderr: '' }
    if (this.failure !== undefined) return { code: 1, stdout: '', stderr: this.failure }
    const ruleset = options?.input ?? ''
    this.rulesets.push(ruleset)
    this.linksThen.push(this.#links())
    this.listing = ruleset.includes('chain') ? ruleset : undefined
    return { code: 0, stdout: '', stderr: '' }
  }
}

const block = '10.77.3.0/24'
let directory: string
let links: PretendedLinks
let plugin: AsyncDisposable
let now: number
/** How often links have been looked at. */
let looks = 0

const socketPath = (): string => join(directory, 'plugins', 'berth.sock')
const files = () => createNetdFiles(directory)
const start = (more: Partial<ContainerPluginOptions> = {}) =>
  startContainerPlugin({
    stateDir: directory,
    runDir: join(directory, 'run'),
    socketPath: socketPath(),
    log: pino({ level: 'silent' }),
    links,
    now: () => now,
    collectIntervalMs: 10,
    ...more,
  })

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-plugin-'))
  links = new PretendedLinks()
  now = 1_000_000
  await files().writeRouted({ block, mtu: 1400 })
  await files().writeInstances([
    { instance: 'shop.production.web-1', app: 'shop', pool: 'production', address: '10.77.3.11' },
    { instance: 'shop.production.web-2', app: 'shop', pool: 'production', address: '10.77.3.240' },
  ])
  plugin = await start()
})
afterEach(async () => {
  await plugin[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly body: { readonly Err?: string; readonly [field: string]: unknown }
}

async function post(path: string, body: string): Promise<Answer> {
  const call = request({ socketPath: socketPath(), path, method: 'POST', agent: false })
  const answer = new Promise<Answer>((resolve, reject) => {
    call.once('error', reject).once('response', (response) => {
      text(response).then(
        (said) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(said) }),
        (error: unknown) => reject(error),
      )
    })
  })
  call.end(body)
  return await answer
}

const call = async (path: string, body: object = {}) => (await post(path, JSON.stringify(body))).body
const errorOf = async (path: string, body: object) => (await call(path, body)).Err ?? 'no error'

const PoolID = `berth:${block}`
const endpoint = (id: string, address: string, more: object = {}) => ({
  NetworkID: 'n1',
  EndpointID: id,
  Interface: { Address: `${address}/32`, AddressIPv6: '', MacAddress: '', ...more },
  Options: {},
})
const requestAddress = (Address = '', Options: object = {}) =>
  call('/IpamDriver.RequestAddress', { PoolID, Address, Options })

describe('the plugin of routed mode', () => {
  it('says what it is', async () => {
    expect(await call('/Plugin.Activate')).toEqual({ Implements: ['NetworkDriver', 'IpamDriver'] })
    expect(await call('/NetworkDriver.GetCapabilities')).toMatchObject({ Scope: 'local' })
    expect(await call('/IpamDriver.GetCapabilities')).toEqual({
      RequiresMACAddress: false,
      RequiresRequestReplay: false,
    })
    expect(await call('/IpamDriver.GetDefaultAddressSpaces')).toEqual({
      LocalDefaultAddressSpace: 'berth',
      GlobalDefaultAddressSpace: 'berth',
    })
  })

  it('leads a container from its network to its end', async () => {
    const pool = await call('/IpamDriver.RequestPool', { AddressSpace: 'berth', Pool: block, SubPool: '', V6: false })
    expect(pool).toEqual({ PoolID, Pool: block, Data: { 'com.docker.network.gateway': '169.254.77.1/32' } })
    const network = {
      NetworkID: 'n1',
      Options: {},
      IPv4Data: [{ Pool: block, Gateway: '169.254.77.1/32' }],
      IPv6Data: [],
    }
    expect(await call('/NetworkDriver.CreateNetwork', network)).toEqual({})
    expect(await requestAddress('10.77.3.11')).toEqual({ Address: '10.77.3.11/32', Data: {} })
    expect(await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toEqual({
      Interface: { MacAddress: 'be:00:0a:4d:03:0b' },
    })
    expect(links.made).toEqual([{ link: 'berth-0a4d030b', mac: 'be:00:0a:4d:03:0b', mtu: 1400, source: '10.77.3.1' }])
    const one = { NetworkID: 'n1', EndpointID: 'e1', SandboxKey: '/var/run/docker/netns/x', Options: {} }
    expect(await call('/NetworkDriver.Join', one)).toEqual({
      InterfaceName: { SrcName: 'berthc0a4d030b', DstPrefix: 'eth' },
      Gateway: '169.254.77.1',
      StaticRoutes: [{ Destination: '169.254.77.1/32', RouteType: 1 }],
    })
    expect(await call('/NetworkDriver.EndpointOperInfo', one)).toEqual({ Value: { addresses: ['10.77.3.11'] } })
    for (const name of ['ProgramExternalConnectivity', 'RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint'])
      expect(await call(`/NetworkDriver.${name}`, one)).toEqual({})
    expect(links.here.size).toBe(0)
    expect(readdirSync(endpointDirectory(join(directory, 'run')))).toEqual([])
    expect(await call('/IpamDriver.ReleaseAddress', { PoolID, Address: '10.77.3.11' })).toEqual({})
    expect(await call('/NetworkDriver.DeleteNetwork', { NetworkID: 'n1' })).toEqual({})
    expect(await call('/IpamDriver.ReleasePool', { PoolID })).toEqual({})
    for (const name of ['DiscoverNew', 'DiscoverDelete'])
      expect(await call(`/NetworkDriver.${name}`, { DiscoveryType: 1, DiscoveryData: {} })).toEqual({})
  })

  it('leaves a MAC that Docker has chosen as it is', async () => {
    const asked = endpoint('e1', '10.77.3.11', { MacAddress: '02:42:AC:11:00:02' })
    expect(await call('/NetworkDriver.CreateEndpoint', asked)).toEqual({ Interface: {} })
    expect(links.made[0]?.mac).toBe('02:42:ac:11:00:02')
  })

  it('gives the gateway to whoever asks for it, and no other', async () => {
    const options = { RequestAddressType: 'com.docker.network.gateway' }
    expect(await requestAddress('', options)).toMatchObject({ Address: '169.254.77.1/32' })
    expect((await requestAddress('10.77.3.1', options)).Err).toContain('the gateway 10.77.3.1')
  })
})

describe('addresses of containers that are started by hand', () => {
  it('are of the part that no instance is given, each once, without those that an instance has from before', async () => {
    const given = await Promise.all(Array.from({ length: 15 }, async () => (await requestAddress()).Address))
    expect(new Set(given).size).toBe(15)
    const wanted = Array.from({ length: 16 }, (_, n) => `10.77.3.${239 + n}/32`).filter(
      (each) => !each.includes('.240'),
    )
    expect([...given].sort()).toEqual(wanted)
    expect((await requestAddress()).Err).toMatch(/all addresses .* are used \(10\.77\.3\.239 to 10\.77\.3\.254\)/)
  })

  it('are given again when they were released, or never used', async () => {
    const take = async () => String((await requestAddress()).Address)
    const given: string[] = []
    for (let n = 0; n < 15; n++) given.push(await take())
    await call('/IpamDriver.ReleaseAddress', { PoolID, Address: given[3]?.replace('/32', '') })
    expect(await take()).toBe(given[3])
    now += 60_000
    expect(await take()).toBe(given[4])
  })

  it('rest as long as possible', async () => {
    const first = String((await requestAddress()).Address)
    await call('/IpamDriver.ReleaseAddress', { PoolID, Address: first.replace('/32', '') })
    expect((await requestAddress()).Address).not.toBe(first)
  })

  it('are not given while a container has them, also to a plugin that has just started', async () => {
    for (let last = 241; last <= 254; last++) {
      await call('/NetworkDriver.CreateEndpoint', endpoint(`e${last}`, `10.77.3.${last}`))
      links.takeIntoContainer(`10.77.3.${last}`)
    }
    await plugin[Symbol.asyncDispose]()
    plugin = await start()
    expect(await requestAddress()).toMatchObject({ Address: '10.77.3.239/32' })
    expect((await requestAddress()).Err).toContain('remove one of them')
  })

  it('may be chosen within the part; those of instances are theirs alone', async () => {
    expect(await requestAddress('10.77.3.250')).toMatchObject({ Address: '10.77.3.250/32' })
    expect((await requestAddress('10.77.3.12')).Err).toBe(
      '10.77.3.12 is not for containers that are started by hand: the server gives the addresses of 10.77.3.0/24 to instances. Leave out --ip, or choose one of 10.77.3.239 to 10.77.3.254',
    )
    for (const outside of ['10.77.4.250', '10.77.3.1', '10.77.3.255', '10.77.3.0'])
      expect((await requestAddress(outside)).Err).toContain('is not for containers')
  })

  it('are checked against the last good word where the list of instances is damaged', async () => {
    expect((await requestAddress('10.77.3.12')).Err).toBeDefined()
    writeFileSync(netdStatePath(directory, 'instances'), 'half a')
    expect((await requestAddress('10.77.3.12')).Err).toBeDefined()
    expect((await requestAddress('10.77.3.11')).Err).toBeUndefined()
    rmSync(netdStatePath(directory, 'instances'))
    expect((await requestAddress('10.77.3.12')).Err).toBeUndefined()
    expect((await requestAddress('10.77.3.1')).Err).toBeDefined()
  })
})

describe('a network of the whole pool', () => {
  const range = '10.77.0.0/16'
  beforeEach(async () => {
    await files().writeRouted({ block, range, mtu: 1400 })
    await files().writeInstances([
      { instance: 'shop.production.db-1', app: 'shop', pool: 'production', address: '10.77.9.7' },
    ])
  })
  const ask = (Pool: string) => call('/IpamDriver.RequestPool', { AddressSpace: 'berth', Pool, SubPool: '', V6: false })
  const take = (PoolID: unknown, Address: string) =>
    call('/IpamDriver.RequestAddress', { PoolID, Address, Options: {} })

  it('lets an instance have an address of another node’s block, and nobody else any that is not this node’s', async () => {
    const { PoolID: wide } = await ask(range)
    expect(wide).toBe(`berth:${range}`)
    expect(await take(wide, '10.77.9.7')).toMatchObject({ Address: '10.77.9.7/32' })
    expect((await take(wide, '10.77.9.8')).Err).toContain('is not for containers that are started by hand')
    expect(await take(wide, '')).toMatchObject({ Address: '10.77.3.239/32' })
    expect(await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.9.7'))).toMatchObject({ Interface: {} })
    expect(links.made).toMatchObject([{ link: 'berth-0a4d0907', source: '10.77.3.1' }])
  })

  it('is what a new one is; one of the block, as a version before has made it, goes on', async () => {
    expect(await ask('')).toMatchObject({ Pool: range })
    expect(await ask(block)).toMatchObject({ Pool: block, PoolID })
    expect(await take(PoolID, '10.77.9.7')).toMatchObject({ Address: '10.77.9.7/32' })
    expect((await ask('10.78.0.0/16')).Err).toContain('the subnet 10.78.0.0/16 is none of it')
    const network = (Pool: string) => ({ NetworkID: 'n1', Options: {}, IPv4Data: [{ Pool }], IPv6Data: [] })
    for (const subnet of [range, block]) expect(await call('/NetworkDriver.CreateNetwork', network(subnet))).toEqual({})
    expect(await errorOf('/NetworkDriver.CreateNetwork', network('10.77.4.0/24'))).toContain(
      `exactly one subnet, ${range}`,
    )
  })
})

describe('a network whose pool has IPv6', () => {
  const twins = [{ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' }]
  beforeEach(() => files().writeRouted({ block, range: '10.77.0.0/16', mtu: 1400, twins }))
  const one = { NetworkID: 'n1', EndpointID: 'e1', SandboxKey: '/x', Options: {} }

  it('gives a container the twin of its address, its gateway, and the way there', async () => {
    const made = await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    expect(made).toEqual({ Interface: { MacAddress: 'be:00:0a:4d:03:0b', AddressIPv6: 'fd77:1::a4d:30b/128' } })
    expect(links.made).toMatchObject([{ source: '10.77.3.1', source6: 'fd77:1::a4d:301', address6: 'fd77:1::a4d:30b' }])
    expect(await call('/NetworkDriver.Join', one)).toEqual({
      InterfaceName: { SrcName: 'berthc0a4d030b', DstPrefix: 'eth' },
      ...{ Gateway: '169.254.77.1', GatewayIPv6: routedGateway6 },
      StaticRoutes: [
        { Destination: '169.254.77.1/32', RouteType: 1 },
        { Destination: `${routedGateway6}/128`, RouteType: 1 },
      ],
    })
    expect(await call('/NetworkDriver.EndpointOperInfo', one)).toEqual({
      Value: { addresses: ['10.77.3.11', 'fd77:1::a4d:30b'] },
    })
    // The answer was lost.
    expect(await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toEqual(made)
    await call('/NetworkDriver.DeleteEndpoint', one)
    expect(links.here.size).toBe(0)
    // Docker has no pool that it is of.
    expect(await call('/IpamDriver.ReleaseAddress', { PoolID: '', Address: 'fd77:1::a4d:30b' })).toEqual({})
  })

  it('goes on with what a container began with, whatever the pool has since', async () => {
    await files().writeRouted({ block, range: '10.77.0.0/16', mtu: 1400 })
    await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    await files().writeRouted({ block, range: '10.77.0.0/16', mtu: 1400, twins })
    await plugin[Symbol.asyncDispose]()
    plugin = await start()
    expect(await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toEqual({
      Interface: { MacAddress: 'be:00:0a:4d:03:0b' },
    })
    expect(await call('/NetworkDriver.Join', one)).not.toHaveProperty('GatewayIPv6')
  })

  it('gives each its own, and never to two', async () => {
    const ranges = twins.map(twinRange)
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 2, max: 254 }), { minLength: 1, maxLength: 8 }),
        async (all) => {
          const addresses = await Promise.all(
            all.map(async (last) => {
              const answer = await call('/NetworkDriver.CreateEndpoint', endpoint(`p${last}`, `10.77.3.${last}`))
              return (answer as { Interface: { AddressIPv6: string } }).Interface.AddressIPv6
            }),
          )
          expect(addresses).toEqual(all.map((last) => `${twinOf(ranges, `10.77.3.${last}`)}/128`))
          for (const last of all)
            await call('/NetworkDriver.DeleteEndpoint', { NetworkID: 'n1', EndpointID: `p${last}` })
          expect(links.here.size).toBe(0)
        },
      ),
      { numRuns: 20 },
    )
  })

  it('takes away what was left behind', async () => {
    await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    now += 60_000
    const before = looks
    await waitUntil('two looks', () => looks > before + 1)
    now += 31_000
    await waitUntil('it to go', () => links.here.size === 0)
    // Last, so that whoever dies before it knows of it.
    await waitUntil('its record to go', () => readdirSync(endpointDirectory(join(directory, 'run'))).length === 0)
  })
})

describe('a container that names profiles', () => {
  const records = () => new EndpointRecords(endpointDirectory(join(directory, 'run')))
  const wishing = (id: string, address: string, Options: object) => ({ ...endpoint(id, address), Options })
  const web = { 'berth.profile': 'web', 'com.docker.network.portmap': [] }
  const startWith = async (exec: Exec) => {
    await plugin[Symbol.asyncDispose]()
    plugin = await start({ exec, keepIntervalMs: 60_000 })
  }

  it('is closed from before it has a link until the agent has its rules in force, also by a successor', async () => {
    const kernel = new PretendedTable(() => links.made.length)
    await startWith(kernel.exec)
    await call('/NetworkDriver.CreateEndpoint', endpoint('plain', '10.77.3.239'))
    expect(kernel.rulesets).toEqual([])
    await call('/NetworkDriver.CreateEndpoint', wishing('e1', '10.77.3.241', web))
    await call('/NetworkDriver.CreateEndpoint', wishing('e2', '10.77.3.242', { 'berth.profile': 'web+db' }))
    expect(kernel.closed).toEqual(['10.77.3.241', '10.77.3.242'])
    // One link was there when the first of them was closed, two when the second was.
    expect(kernel.linksThen).toEqual([1, 2])
    expect((await records().find('e2'))?.profiles).toEqual(['web', 'db'])
    await startWith(kernel.exec)
    await records().markInForce('e1')
    await waitUntil('it to be opened', () => kernel.closed.join() === '10.77.3.242')
    await call('/NetworkDriver.DeleteEndpoint', { NetworkID: 'n1', EndpointID: 'e2' })
    expect(kernel.closed).toEqual([])
    expect(await records().isInForce('e1')).toBe(true)
    await call('/NetworkDriver.DeleteEndpoint', { NetworkID: 'n1', EndpointID: 'e1' })
    expect(readdirSync(endpointDirectory(join(directory, 'run')))).toEqual(['plain.json'])
  })

  it('does not start where it cannot be closed', async () => {
    const kernel = new PretendedTable(() => links.made.length)
    await startWith(kernel.exec)
    kernel.failure = 'nft: Operation not permitted'
    expect(await errorOf('/NetworkDriver.CreateEndpoint', wishing('e1', '10.77.3.241', web))).toContain(
      'Operation not permitted',
    )
    expect([links.made, readdirSync(endpointDirectory(join(directory, 'run')))]).toEqual([[], []])
    kernel.failure = undefined
    expect(await errorOf('/NetworkDriver.CreateEndpoint', wishing('e1', '10.77.3.241', web))).toBe('no error')
  })

  it('is closed anew where somebody has opened it', async () => {
    const kernel = new PretendedTable(() => links.made.length)
    await plugin[Symbol.asyncDispose]()
    plugin = await start({ exec: kernel.exec, keepIntervalMs: 10 })
    await call('/NetworkDriver.CreateEndpoint', wishing('e1', '10.77.3.241', web))
    kernel.listing = undefined
    await waitUntil('the table', () => kernel.listing !== undefined)
    expect(kernel.closed).toEqual(['10.77.3.241'])
  })

  it.each<[string, object, string]>([
    ['10.77.3.241', { 'berth.profil': 'web' }, 'driver-opt berth.profil is unknown; did you mean berth.profile'],
    ['10.77.3.241', { 'berth.profile': 'a b' }, '"a b" is no name of a profile'],
    ['10.77.3.240', web, "10.77.3.240 is an instance's, which has the profiles that its berth.yaml names"],
  ])('is refused at %s with %j', async (address, options, message) => {
    expect(await errorOf('/NetworkDriver.CreateEndpoint', wishing('e1', address, options))).toContain(message)
    expect(readdirSync(endpointDirectory(join(directory, 'run')))).toEqual([])
  })
})

describe('a network of links to the node alone', () => {
  const range = '169.254.80.0/20'
  const PoolID = `berth:${range}`
  const ask = (Address = '') => call('/IpamDriver.RequestAddress', { PoolID, Address, Options: {} })

  it('gives each container a link-local address, its node and its resolver, and no way out', async () => {
    await files().writeRouted({ block, mtu: 1400, twins: [{ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' }] })
    const pool = { AddressSpace: 'berth', Pool: range, SubPool: '', V6: false }
    expect(await call('/IpamDriver.RequestPool', pool)).toMatchObject({ PoolID, Pool: range })
    const network = { NetworkID: 'n1', Options: {}, IPv4Data: [{ Pool: range }], IPv6Data: [] }
    expect(await call('/NetworkDriver.CreateNetwork', network)).toEqual({})
    const given = await Promise.all(Array.from({ length: 40 }, async () => String((await ask()).Address)))
    expect(new Set(given).size).toBe(40)
    for (const each of given) expect(each).toMatch(/^169\.254\.80\.\d+\/32$/)
    const [address = ''] = given.map((each) => each.replace('/32', ''))
    const made = await call('/NetworkDriver.CreateEndpoint', endpoint('e1', address))
    expect(made).toEqual({ Interface: { MacAddress: macOf(address) } })
    expect(links.made).toEqual([
      { link: routedLinkOf(address), mac: macOf(address), mtu: 1400, source: '169.254.77.1' },
    ])
    const one = { NetworkID: 'n1', EndpointID: 'e1', SandboxKey: '/x', Options: {} }
    expect(await call('/NetworkDriver.Join', one)).toEqual({
      InterfaceName: { SrcName: routedPeerOf(address), DstPrefix: 'eth' },
      StaticRoutes: ['169.254.77.1/32', '169.254.77.53/32'].map((Destination) => ({ Destination, RouteType: 1 })),
      DisableGatewayService: true,
    })
    links.takeIntoContainer(address)
    await plugin[Symbol.asyncDispose]()
    plugin = await start()
    expect((await ask()).Address).not.toBe(`${address}/32`)
  })

  it('gives no address of choice, and holds no profile', async () => {
    expect((await ask('169.254.80.9')).Err).toContain('an address of choice')
    const wish = { ...endpoint('e1', '169.254.80.9'), Options: { 'berth.profile': 'web' } }
    expect(await errorOf('/NetworkDriver.CreateEndpoint', wish)).toContain('no profile holds for links')
  })
})

describe('an address that is in use', () => {
  it('is refused to another container until the first is gone, in words that the agent knows', async () => {
    await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    links.takeIntoContainer('10.77.3.11')
    now += 3_600_000
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e2', '10.77.3.11'))).toMatch(
      /^address already in use: 10\.77\.3\.11 .*berth-0a4d030b/,
    )
    expect(await call('/NetworkDriver.EndpointOperInfo', { EndpointID: 'e1' })).toMatchObject({ Value: {} })
    await call('/NetworkDriver.DeleteEndpoint', { NetworkID: 'n1', EndpointID: 'e1' })
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e2', '10.77.3.11'))).toBe('no error')
  })

  it('goes to one of two that ask at the same time', async () => {
    const answers = await Promise.all(
      ['e1', 'e2', 'e3'].map((id) => call('/NetworkDriver.CreateEndpoint', endpoint(id, '10.77.3.11'))),
    )
    expect(answers.filter((each) => each.Err === undefined)).toHaveLength(1)
    expect(links.made).toHaveLength(1)
    expect(readdirSync(endpointDirectory(join(directory, 'run')))).toHaveLength(1)
  })

  it('is not by a link that no container has taken within half a minute', async () => {
    await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    now += 29_000
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e2', '10.77.3.11'))).toContain('in use')
    now += 1_000
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e2', '10.77.3.11'))).toBe('no error')
    expect(await errorOf('/NetworkDriver.DeleteEndpoint', { NetworkID: 'n1', EndpointID: 'e1' })).toContain(
      'no endpoint e1',
    )
    expect(links.here).toContain(routedLinkOf('10.77.3.11'))
  })

  it('is when its container runs and the record is lost; a link of no record at the host is left behind', async () => {
    links.here.add(routedLinkOf('10.77.3.11'))
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toContain('in use')
    links.here.add(routedPeerOf('10.77.3.11'))
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toBe('no error')
  })
})

describe('what is left behind', () => {
  const records = () => readdirSync(endpointDirectory(join(directory, 'run'))).sort()
  const looked = async () => {
    const before = looks
    await waitUntil('two looks', () => looks > before + 1)
  }

  it('by a death of dockerd is taken away after a while, and nothing of containers', async () => {
    for (const last of [11, 241, 242])
      await call('/NetworkDriver.CreateEndpoint', endpoint(`e${last}`, `10.77.3.${last}`))
    links.takeIntoContainer('10.77.3.11')
    links.here.add(routedLinkOf('10.77.3.77')).add(routedPeerOf('10.77.3.77'))
    await links.remove(routedLinkOf('10.77.3.242'))
    for (const all of [3, 3, 3, 3]) {
      await looked()
      expect(records()).toHaveLength(all)
      now += 19_000
    }
    await waitUntil('the leftovers to go', () => records().length === 1)
    expect(records()).toEqual(['e11.json'])
    expect([...links.here]).toEqual([routedLinkOf('10.77.3.11')])
    now += 3_600_000
    await looked()
    expect(records()).toEqual(['e11.json'])
  })

  it('is no link that comes back to the host for a moment while its container ends', async () => {
    await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    links.takeIntoContainer('10.77.3.11')
    now += 3_600_000
    links.here.add(routedPeerOf('10.77.3.11'))
    await looked()
    now += 29_000
    await looked()
    links.takeIntoContainer('10.77.3.11')
    await looked()
    now += 29_000
    links.here.add(routedPeerOf('10.77.3.11'))
    await looked()
    expect(records()).toEqual(['e1.json'])
  })
})

describe('calls that come again', () => {
  it('are answered as the first time, by a successor too', async () => {
    const asked = endpoint('e1', '10.77.3.11')
    const answer = await call('/NetworkDriver.CreateEndpoint', asked)
    await plugin[Symbol.asyncDispose]()
    plugin = await start()
    expect(await call('/NetworkDriver.CreateEndpoint', asked)).toEqual(answer)
    expect(links.made).toHaveLength(1)
    expect(await requestAddress('10.77.3.11')).toEqual(await requestAddress('10.77.3.11'))
  })

  it('after a failure of the kernel are a new try, and the failure is said', async () => {
    links.failure = new Error('Operation not permitted')
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toBe('Operation not permitted')
    expect(readdirSync(endpointDirectory(join(directory, 'run')))).toEqual([])
    links.failure = undefined
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toBe('no error')
  })

  it('find what a killed predecessor left half-made', async () => {
    await call('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))
    links.here.clear()
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toBe('no error')
    expect(links.made).toHaveLength(2)
  })
})

describe('what cannot be', () => {
  it('a call that Docker makes again with nothing left to say, where the first one was lost', async () => {
    for (const path of ['/IpamDriver.RequestAddress', '/NetworkDriver.CreateEndpoint', '/NetworkDriver.Join'])
      expect((await post(path, '')).body).toMatchObject({
        Err: `${path.slice(1)}: netd ended while Docker asked, and Docker asks again without saying what; start the container again`,
      })
    for (const path of ['/Plugin.Activate', '/NetworkDriver.GetCapabilities', '/IpamDriver.GetDefaultAddressSpaces'])
      expect((await post(path, '')).body).not.toHaveProperty('Err')
  })

  const unknownEndpoint = { NetworkID: 'n1', EndpointID: 'nobody', SandboxKey: 'x' }

  it.each(['Join', 'Leave', 'DeleteEndpoint', 'EndpointOperInfo'])('%s of an unknown endpoint', async (name) => {
    expect(await errorOf(`/NetworkDriver.${name}`, unknownEndpoint)).toBe(
      'there is no endpoint nobody; start its container again',
    )
  })

  const mistakes: [string, string, object, RegExp][] = [
    ['no endpoint', 'NetworkDriver.Join', {}, /^EndpointID has to be a text that is not empty$/],
    ['an endpoint with a path for its name', 'NetworkDriver.Join', { EndpointID: '../../x' }, /is no id$/],
    ['an endpoint that is a number', 'NetworkDriver.Leave', { EndpointID: 7 }, /^EndpointID has to be a text/],
    ['no address', 'NetworkDriver.CreateEndpoint', { NetworkID: 'n', EndpointID: 'e' }, /^Address has to be a text/],
    [
      'a list for an interface',
      'NetworkDriver.CreateEndpoint',
      { NetworkID: 'n', EndpointID: 'e', Interface: [] },
      /^Interface has to be an object$/,
    ],
    [
      'a whole subnet for an address',
      'NetworkDriver.CreateEndpoint',
      endpoint('e', '10.77.3.11', { Address: '10.77.3.11/24' }),
      /no IPv4 address with the prefix 32/,
    ],
    [
      'a wrong MAC',
      'NetworkDriver.CreateEndpoint',
      endpoint('e', '10.77.3.11', { MacAddress: 'x' }),
      /is no MAC address$/,
    ],
    [
      'IPv6 for a container',
      'NetworkDriver.CreateEndpoint',
      endpoint('e', '10.77.3.11', { AddressIPv6: 'fd00::1/128' }),
      /^IPv6 that is asked for .* cannot be had/,
    ],
    ['IPv6 for a pool', 'IpamDriver.RequestPool', { V6: true }, /^IPv6 that is asked for .* cannot be had/],
    [
      'IPv6 for a network',
      'NetworkDriver.CreateNetwork',
      { NetworkID: 'n', IPv4Data: [{ Pool: block }], IPv6Data: [{}] },
      /^IPv6/,
    ],
    ['a range', 'IpamDriver.RequestPool', { Pool: block, SubPool: '10.77.3.0/25' }, /^--ip-range/],
    [
      "another's subnet",
      'IpamDriver.RequestPool',
      { Pool: '10.9.0.0/16' },
      /block is 10\.77\.3\.0\/24, the subnet 10\.9\.0\.0\/16/,
    ],
    [
      'a network of another subnet',
      'NetworkDriver.CreateNetwork',
      { NetworkID: 'n', IPv4Data: [{ Pool: '10.9.0.0/16' }] },
      /exactly one subnet/,
    ],
    ['a network without a subnet', 'NetworkDriver.CreateNetwork', { NetworkID: 'n' }, /asked for was none/],
    [
      'a network of two',
      'NetworkDriver.CreateNetwork',
      { NetworkID: 'n', IPv4Data: [{ Pool: block }, { Pool: block }] },
      /exactly one subnet/,
    ],
    [
      'an internal network',
      'NetworkDriver.CreateNetwork',
      { NetworkID: 'n', Options: { 'com.docker.network.internal': true }, IPv4Data: [{ Pool: block }] },
      /^--internal/,
    ],
    [
      'a pool of another block',
      'IpamDriver.RequestAddress',
      { PoolID: 'berth:10.77.9.0/24' },
      /made for 10\.77\.9\.0\/24, and this node's block is 10\.77\.3\.0\/24 now/,
    ],
    ['no pool', 'IpamDriver.RequestAddress', {}, /^PoolID has to be a text/],
    ['an address that is none', 'IpamDriver.RequestAddress', { PoolID, Address: '10.77.3' }, /is no IPv4 address$/],
    [
      'published ports of SCTP',
      'NetworkDriver.ProgramExternalConnectivity',
      { EndpointID: 'e1', Options: { 'com.docker.network.portmap': [{ Proto: 132, Port: 80 }] } },
      /^publishing ports of other protocols/,
    ],
    ['no address to release', 'IpamDriver.ReleaseAddress', { PoolID }, /^Address has to be/],
  ]
  it.each(mistakes)('%s', async (_, name, body, said) => {
    expect(await errorOf(`/${name}`, body)).toMatch(said)
    expect(links.made).toEqual([])
  })

  it.each([
    ['half a document', '{"EndpointID": ', 400, 'the body is no JSON'],
    ['a list', '[]', 400, 'the body has to be an object'],
    ['an endless body', `"${'x'.repeat(1024 * 1024)}"`, 400, 'longer than'],
  ])('%s', async (_, body, status, said) => {
    const answer = await post('/NetworkDriver.Join', body)
    const words = expect.stringContaining(said) as string
    // Docker reads another field of IPAM drivers than of network drivers.
    expect(answer).toMatchObject({ status, body: { Err: words, Error: words } })
  })

  it.each(['/NetworkDriver.Fly', '/constructor', '/'])('a call %s that there is not', async (path) => {
    const answer = await post(path, '{}')
    expect(answer.status).toBe(404)
    expect(answer.body.Err).toMatch(/^there is no call .*; there are: \/Plugin\.Activate, /)
  })

  it('a container before the agent has said the block, or on a node in bridge mode', async () => {
    await files().writeRouted(undefined)
    for (const [path, body] of [
      ['/IpamDriver.RequestPool', { Pool: block }],
      ['/IpamDriver.RequestAddress', { PoolID }],
      ['/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11')],
    ] as const)
      expect(await errorOf(path, body)).toContain('this node has no routed network')
  })

  it('a damaged word of the agent is no reason to refuse a container', async () => {
    await requestAddress()
    writeFileSync(netdStatePath(directory, 'routed'), 'half a')
    expect(await errorOf('/NetworkDriver.CreateEndpoint', endpoint('e1', '10.77.3.11'))).toBe('no error')
  })
})

describe('the socket', () => {
  it('is taken over by a successor, and stays when the predecessor ends', async () => {
    await using successor = await start()
    await plugin[Symbol.asyncDispose]()
    expect(await call('/Plugin.Activate')).toMatchObject({ Implements: ['NetworkDriver', 'IpamDriver'] })
    plugin = successor
  })

  it('is served where a killed predecessor has left one', async () => {
    await plugin[Symbol.asyncDispose]()
    rmSync(socketPath(), { force: true })
    writeFileSync(socketPath(), '')
    plugin = await start()
    expect(await call('/Plugin.Activate')).toMatchObject({ Implements: ['NetworkDriver', 'IpamDriver'] })
  })

  it('that cannot be made is no reason to end', async () => {
    await plugin[Symbol.asyncDispose]()
    rmSync(join(directory, 'plugins'), { recursive: true })
    writeFileSync(join(directory, 'plugins'), 'a file')
    plugin = await start()
    rmSync(join(directory, 'plugins'))
    mkdirSync(join(directory, 'plugins'))
    await expect
      .poll(() => call('/Plugin.Activate').catch(() => undefined), { timeout: 15_000, interval: 100 })
      .toBeDefined()
  })

  it('that was removed is made anew', async () => {
    rmSync(socketPath())
    await expect
      .poll(() => call('/Plugin.Activate').catch(() => undefined), { timeout: 15_000, interval: 100 })
      .toBeDefined()
  })
})

it('MACs do not depend on anything but the address', () => expect(macOf('10.77.3.11')).toBe('be:00:0a:4d:03:0b'))
