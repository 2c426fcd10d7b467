import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { type PublishedPort, routedLinkOf, routedPeerOf } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EndpointRecords } from '../plugin/endpoint-records.ts'
import { type PortBinding, readPortBindings } from './port-bindings.ts'
import { PortHolder } from './port-holder.ts'
import type { PortKernel } from './port-kernel.ts'
import { type OtherPorts, PortPublisher } from './port-publisher.ts'

/** Of 127.0.0.0/8, which nobody else here uses. */
const here = '127.77.31.7'

class PretendedKernel implements PortKernel {
  inForce: readonly PublishedPort[] = []
  readonly open = new Set<string>()
  failure: Error | undefined

  keep: PortKernel['keep'] = async (ports) => {
    if (this.failure !== undefined && ports.length > 0) throw this.failure
    this.inForce = ports
  }

  openToLoopback: PortKernel['openToLoopback'] = async (link, isOpen) => {
    if (isOpen) this.open.add(link)
    else this.open.delete(link)
  }
}

let directory: string
let records: EndpointRecords
let kernel: PretendedKernel
let holder: PortHolder
let publisher: PortPublisher
let others: OtherPorts
let taken: Server | undefined

const start = (by: PortHolder) =>
  new PortPublisher({ records, holder: by, kernel, log: pino({ level: 'silent' }), others: async () => others })

const record = (id: string, address: string) =>
  records.put({
    ...{ id, network: 'n1', addresses: [address], mac: 'be:00:00:00:00:00', createdAt: 1 },
    ...{ link: routedLinkOf(address), peer: routedPeerOf(address) },
  })

const binding = (first: number, more: Partial<PortBinding> = {}): PortBinding => ({
  ...{ protocol: 'tcp', hostAddress: here, hostPorts: { first, last: first }, port: 80 },
  ...more,
})

/** A port of {@link here} that a program has. */
async function takePort(): Promise<number> {
  taken = createServer()
  await new Promise<void>((resolve) => taken?.listen(0, here, resolve))
  const address = taken.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-ports-'))
  records = new EndpointRecords(directory)
  kernel = new PretendedKernel()
  holder = new PortHolder()
  others = { ports: [], source: '10.77.3.1' }
  publisher = start(holder)
  await record('e1', '10.77.3.250')
  await record('e2', '10.77.3.251')
})
afterEach(async () => {
  taken?.close()
  taken = undefined
  await holder[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

describe('a published port', () => {
  it('is in force with its container, and free once it is withdrawn', async () => {
    const port = await freePort(here)
    await publisher.publish('e1', [binding(port), binding(port, { protocol: 'udp', port: 53 })])
    const wanted = { hostAddress: here, hostPort: port, address: '10.77.3.250' }
    expect(kernel.inForce).toEqual([
      { ...wanted, protocol: 'tcp', port: 80 },
      { ...wanted, protocol: 'udp', port: 53 },
    ])
    expect([...kernel.open]).toEqual(['berth-0a4d03fa'])
    await publisher.publish('e1', [binding(port)])
    await publisher.withdraw('e1')
    await publisher.withdraw('e1')
    expect([kernel.inForce, kernel.open.size]).toEqual([[], 0])
    await publisher.publish('e2', [binding(port)])
    expect(kernel.inForce).toMatchObject([{ address: '10.77.3.251' }])
  })

  it('goes with the record of its container, whoever took that away', async () => {
    const port = await freePort(here)
    await publisher.publish('e1', [binding(port)])
    await records.remove('e1')
    await publisher.keep()
    expect(kernel.inForce).toEqual([])
    await publisher.publish('e2', [binding(port)])
  })

  it('is any that is free where none is asked for, or one of a range', async () => {
    const used = await takePort()
    await publisher.publish('e1', [
      binding(0),
      binding(0),
      binding(used, { hostPorts: { first: used, last: used + 5 } }),
    ])
    const chosen = kernel.inForce.map((each) => each.hostPort)
    expect(new Set([...chosen, used, 0]).size).toBe(5)
    expect(chosen[2]).toBeGreaterThan(used)
  })

  it('is refused where a program or another container has it, and nothing is left of the attempt', async () => {
    const [used, port] = [await takePort(), 0]
    await expect(publisher.publish('e1', [binding(port), binding(used)])).rejects.toThrow(
      `publish port ${here}:${used}/tcp: a program of this node has it (ss -Hlntp sport = :${used})`,
    )
    expect(kernel.inForce).toEqual([])
    await publisher.publish('e1', [binding(0)])
    const first = kernel.inForce[0]?.hostPort ?? 0
    await expect(publisher.publish('e2', [binding(first)])).rejects.toThrow(
      `publish port ${here}:${first}/tcp: port is already allocated, it leads to 10.77.3.250:80`,
    )
    expect(kernel.inForce).toHaveLength(1)
    others = { ...others, ports: [{ protocol: 'tcp', hostPort: used, address: '10.77.3.9', port: 1 }] }
    await expect(publisher.publish('e2', [binding(used)])).rejects.toThrow('it leads to 10.77.3.9:1')
    await expect(publisher.publish('e2', [binding(0, { hostAddress: '203.0.113.9' })])).rejects.toThrow(
      '203.0.113.9 is no address of this node',
    )
    await expect(publisher.publish('e9', [binding(0)])).rejects.toThrow('there is no endpoint e9')
  })

  it('that the kernel refuses is published to nobody', async () => {
    const port = await freePort(here)
    kernel.failure = new Error('no nft')
    await expect(publisher.publish('e1', [binding(port)])).rejects.toThrow('no nft')
    kernel.failure = undefined
    expect((await records.get('e1')).ports).toBeUndefined()
    await publisher.publish('e2', [binding(port)])
  })

  it('is taken over by a successor, beside its predecessor as well', async () => {
    const port = await freePort(here)
    await publisher.publish('e1', [binding(port)])
    const before = kernel.inForce
    kernel.inForce = []
    await using next = new PortHolder()
    const successor = start(next)
    await successor.keep()
    expect(kernel.inForce).toEqual(before)
    await holder[Symbol.asyncDispose]()
    await successor.keep()
    expect(next.isHeld({ protocol: 'tcp', hostAddress: here, hostPort: port })).toBe(true)
  })
})

describe('a container with IPv6', () => {
  const at6 = { hostAddress: '::ffff:127.77.31.8' }

  it('has its ports lead to both of its addresses', async () => {
    const before = await records.get('e1')
    await records.put({ ...before, address6: 'fd77::a4d:30b' })
    const port = await freePort()
    await publisher.publish('e1', [binding(port)])
    expect(kernel.inForce).toMatchObject([{ hostPort: port, address6: 'fd77::a4d:30b' }])
    expect((await records.get('e1')).ports).toEqual(kernel.inForce)
  })

  it('alone has them at an address of IPv6', async () => {
    await expect(publisher.publish('e1', [binding(1, at6)])).rejects.toThrow('the container has no IPv6')
  })
})

describe('what Docker asks for', () => {
  const asked = (...portmap: object[]) => readPortBindings({ Options: { 'com.docker.network.portmap': portmap } })

  it('is read with its protocol, addresses and ranges', () => {
    expect(readPortBindings({})).toEqual([])
    expect(
      asked(
        { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 },
        { Proto: 17, Port: 53, HostIP: '0.0.0.0', HostPort: 0, HostPortEnd: 0 },
        { Proto: 6, Port: 80, HostIP: '127.0.0.1', HostPort: 8000, HostPortEnd: 8010 },
      ),
    ).toEqual([
      { protocol: 'tcp', hostPorts: { first: 8080, last: 8080 }, port: 80 },
      { protocol: 'udp', hostPorts: { first: 0, last: 0 }, port: 53 },
      { protocol: 'tcp', hostAddress: '127.0.0.1', hostPorts: { first: 8000, last: 8010 }, port: 80 },
    ])
  })

  it.each([
    [{ Proto: 132, Port: 80 }, /^publishing ports of other protocols than tcp and udp cannot be had/],
    [
      { Proto: 6, Port: 80, HostIP: '::1' },
      /^publishing a port at ::1 \(at an address of IPv4, or one of IPv6 that others reach\) cannot be had/,
    ],
    [{ Proto: 6, Port: 80, HostIP: '127.0.0.1; drop' }, /cannot be had/],
    [{ Proto: 6, Port: 80, HostPort: 65_536 }, /^HostPort has to be a port/],
    [{ Proto: 6, Port: 'http' }, /^Port has to be a port/],
    [{ Proto: 6 }, /^Port has to be a port/],
  ])('is refused when it cannot be: %j', (binding, said) => {
    expect(() => asked(binding)).toThrow(said)
  })
})
