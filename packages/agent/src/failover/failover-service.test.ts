import { BerthError, type NodeFailover } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { failover, type GatewayMachine, GatewayMachines } from './gateway-machines.testing.ts'

const first = '10.9.0.10'
const second = '10.9.0.11'
const sixth = 'fd09::10'
const addresses = [failover(1, first), failover(2, second), failover(3, sixth)]

/** Fifty packets a second to an address whose holder is made to go; how long nobody answered. */
async function gapWhile(machines: GatewayMachines, address: string, act: () => Promise<unknown>): Promise<number> {
  const silence = machines.silence(address, 4_000)
  await act()
  return await silence
}

// Each has machines of its own, and waits most of its time for VRRP.
describe.concurrent('failover addresses by VRRP', () => {
  it('are spread over gateways, and another has one when its machine dies', { timeout: 120_000 }, async () => {
    await using machines = await GatewayMachines.switched(3)
    for (const machine of machines.all) await machine.startGateway()
    await machines.tell(addresses)
    const isSpread = async (): Promise<boolean> => {
      const holders = await Promise.all(addresses.map(({ address }) => machines.holder(address)))
      return new Set(holders).size === 3
    }
    await waitUntil('a holder for each', isSpread)
    for (const { address } of addresses) expect(await machines.answers(address)).toBe(true)
    const holder = await machines.holder(first)
    await waitUntil('it to say so', () => holder.statusOf(first)?.state === 'holds')
    expect(Date.now() - (holder.statusOf(first)?.since ?? 0)).toBeLessThan(20_000)
    expect(machines.all.map(({ problem }) => problem)).toEqual([undefined, undefined, undefined])

    const others = machines.all.filter((each) => each !== holder)
    const port = `port${machines.all.indexOf(holder) + 1}`
    const gap = await gapWhile(machines, first, async () => {
      await machines.middle.ip('link', 'set', port, 'down')
      await holder.service[Symbol.asyncDispose]()
      await holder.killKeepalived()
    })
    expect(gap).toBeGreaterThan(0)
    expect(gap).toBeLessThan(4_000)
    await machines.holder(first, 5_000, others)
    expect(await machines.answers(first)).toBe(true)

    // It is back, with the address on its link still; who is preferred takes it again.
    await machines.middle.ip('link', 'set', port, 'up')
    holder.service = holder.makeService()
    await holder.service.resume()
    expect(await machines.holder(first)).not.toBe(holder)
    await waitUntil('it to come back', async () => (await machines.holder(first)) === holder)
    expect(await machines.answers(first)).toBe(true)
  })

  it('leave a gateway that does not answer, whether its agent runs or not, and come back', {
    timeout: 120_000,
  }, async () => {
    await using machines = await GatewayMachines.switched(2)
    const [one, other] = machines.all as [GatewayMachine, GatewayMachine]
    for (const machine of machines.all) await machine.startGateway()
    await machines.tell([failover(1, first)])
    const holder = await machines.holder(first)
    await waitUntil('the preferred one', async () => (await machines.holder(first)) !== undefined)
    const pids = await holder.pids()
    expect(pids.length).toBe(2)

    await holder.service[Symbol.asyncDispose]()
    const spare = holder === one ? other : one
    expect(await machines.silence(first, 1_000)).toBe(0)
    const ended = Date.now()
    await holder.gateway.stop({ graceMs: 0 })
    await waitUntil('another gateway to answer', () => machines.answers(first))
    expect(Date.now() - ended).toBeLessThan(6_000)
    expect(await machines.holder(first)).toBe(spare)
    expect(await machines.answers(first)).toBe(true)
    expect(await holder.pids()).toEqual(pids)

    holder.service = holder.makeService()
    await holder.service.resume()
    await waitUntil(
      'it to say why',
      () => holder.statusOf(first)?.why?.includes('its gateway does not answer') === true,
    )
    await holder.gateway.start()
    const preferred = machines.planOf([failover(1, first)]).get(holder.name)?.addresses[0]
    const isPreferred = preferred?.by === 'vrrp' && preferred.priority === 254
    if (isPreferred) await waitUntil('it to be back', async () => (await machines.holder(first)) === holder)
    else await waitUntil('it to be well', () => holder.statusOf(first)?.why === undefined)
    expect(await holder.pids()).toEqual(pids)
  })

  it('are handed over at once, and started again when keepalived is killed', {
    timeout: 120_000,
  }, async () => {
    await using machines = await GatewayMachines.switched(2)
    for (const machine of machines.all) await machine.startGateway()
    await machines.tell([failover(1, first), failover(2, second)])
    await waitUntil('a holder for each', async () => (await machines.holder(first)) !== (await machines.holder(second)))
    const holder = await machines.holder(first)
    const staying = machines.all.filter((each) => each !== holder)
    const [spare] = staying as [GatewayMachine]
    const drained = await gapWhile(machines, first, () =>
      machines.tell([failover(1, first), failover(2, second)], staying),
    )
    expect(drained).toBeLessThan(200)
    expect(await machines.holder(first)).toBe(spare)
    await waitUntil('keepalived to end', async () => (await holder.pids()).length === 0)

    await machines.tell([failover(1, first), failover(2, second)])
    await waitUntil('it to come back', async () => (await machines.holder(first)) === holder)
    const before = await holder.pids()
    await holder.killKeepalived()
    await waitUntil('another keepalived', async () => {
      const now = await holder.pids()
      return now.length === 2 && now[0] !== before[0]
    })
    await machines.holder(first)
    await waitUntil('it to be as before', async () => (await machines.holder(first)) === holder)

    const left = await gapWhile(machines, first, () => holder.service.leave())
    expect(left).toBeLessThan(200)
    expect(await machines.holder(first)).toBe(spare)
    expect(holder.service.status).toEqual([])
  })

  it('tell what hinders a node', { timeout: 60_000 }, async () => {
    await using machines = await GatewayMachines.switched(1)
    const [machine] = machines.all as [GatewayMachine]
    await machine.startGateway()
    const entry = (router: number, address: string): NodeFailover['addresses'][number] => ({
      ...{ by: 'vrrp', address, router, priority: 200, peers: [] },
    })
    await machine.space.ip('address', 'add', '10.9.0.77/32', 'dev', 'eth0')
    const strange = [entry(1, '192.0.2.10'), entry(2, '10.9.0.77'), entry(3, first)]
    await machine.service.apply({ source: machine.address, addresses: strange })
    await machines.holder(first)
    await waitUntil('it to be told', () => machine.statusOf(first)?.state === 'holds')
    expect(machine.statusOf('192.0.2.10')).toMatchObject({
      state: 'problem',
      why: 'no network of this node contains 192.0.2.10',
    })
    expect(machine.statusOf('10.9.0.77')?.why).toContain('this node has 10.9.0.77 of its own, on eth0')
    expect(await machine.has('10.9.0.77')).toBe(true)

    await machine.service.apply({ source: '10.9.0.200', addresses: [entry(3, first)] })
    await waitUntil('another address to be missed', () =>
      machine.statusOf(first)?.why?.includes('no interface of this node has 10.9.0.200'),
    )
    await waitUntil('it to be let go', async () => !(await machine.has(first)))

    const { exec } = machine
    machine.exec = async (file, ...args) => {
      if (file !== 'keepalived') return await exec(file, ...args)
      throw new BerthError('network.command-missing', 'run keepalived: it is not installed')
    }
    await machine.service.apply({ source: machine.address, addresses: [entry(4, first)] })
    await waitUntil('it to be missed', () => machine.problem?.includes('apt-get install keepalived'))
    expect(machine.statusOf(first)).toMatchObject({ state: 'problem' })
    machine.exec = exec
    await waitUntil('it to be found', () => machine.problem === undefined && machine.statusOf(first)?.state === 'holds')
    expect(await machines.answers(first)).toBe(true)
  })
})
