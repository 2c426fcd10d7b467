import type { Assignment, NetworkMode } from '@berth/core'
import { describe, expect, it } from 'vitest'
import type { EngineNetwork } from '../engine/engine.ts'
import { OtherNetworks } from './other-networks.ts'

const assignment = (network?: NetworkMode): Assignment =>
  ({ instance: 'shop.production.web-1', ...(network === undefined ? {} : { network }) }) as Assignment

const usual: readonly EngineNetwork[] = [
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
  { name: 'bridge', driver: 'bridge', bridge: 'docker0' },
  { name: 'berth', driver: 'bridge', bridge: 'berth0' },
]
const storage: EngineNetwork = { name: 'storage', driver: 'bridge', bridge: 'br-0123456789ab' }
const lan: EngineNetwork = { name: 'lan', driver: 'macvlan' }

function make(found: readonly EngineNetwork[], remembered: readonly string[] = []) {
  const heard: string[] = []
  const world = { found, gate: Promise.resolve() }
  const networks = new OtherNetworks({
    engine: { listNetworks: async () => world.found },
    remembered,
    onBridges: async (bridges) => {
      await world.gate
      heard.push(`bridges ${bridges.join(' ')}`)
    },
    onChange: () => heard.push('changed'),
  })
  return { networks, heard, world }
}

describe('the Docker networks of a node', () => {
  it('are told without the cluster’s own and those that are none', async () => {
    const { networks, heard, world } = make([...usual, storage])
    expect(networks.names).toBeUndefined()
    await networks.refresh()
    expect(networks.names).toEqual(['bridge', 'storage'])
    await networks.refresh()
    world.found = usual
    await networks.refresh()
    expect(networks.names).toEqual(['bridge'])
    expect(heard).toEqual(['changed', 'changed'])
  })

  it('let bridges in of which an instance is one, and no others', async () => {
    const { networks, heard } = make([...usual, storage])
    networks.setInstances([assignment(), assignment('host'), assignment('bridge:storage'), assignment('bridge')])
    await networks.refresh()
    expect(networks.bridges).toEqual(['docker0', 'br-0123456789ab'])
    networks.setInstances([assignment('bridge')])
    await networks.ready(assignment('bridge'))
    expect(networks.bridges).toEqual(['docker0'])
    expect(heard).toEqual(['bridges docker0 br-0123456789ab', 'changed', 'bridges docker0'])
  })

  it('keep what was in force until Docker and the instances are known', async () => {
    const { networks, heard } = make(usual, ['docker0'])
    await networks.refresh()
    expect(networks.bridges).toEqual(['docker0'])
    networks.setInstances([assignment('bridge')])
    await networks.ready(assignment('bridge'))
    expect(heard).toEqual(['changed'])
  })

  it('keep an instance from starting before rules let it ask for names', async () => {
    const { networks, heard, world } = make(usual)
    await networks.refresh()
    const { promise, resolve } = Promise.withResolvers<void>()
    world.gate = promise
    networks.setInstances([assignment('bridge')])
    const ready = networks.ready(assignment('bridge')).then(() => heard.push('ready'))
    resolve()
    await ready
    expect(heard).toEqual(['changed', 'bridges docker0', 'ready'])
  })

  it('are looked for again when one is missing, and then said to be', async () => {
    const { networks, world } = make(usual)
    await networks.refresh()
    world.found = [...usual, storage]
    await networks.ready(assignment('bridge:storage'))
    await expect(networks.ready(assignment('bridge:gone'))).rejects.toThrow(
      'start shop.production.web-1: this node has no Docker network gone; make it (docker network create gone)',
    )
  })

  it('are refused where they are flat: others come by such a bridge, too', async () => {
    const { networks } = make([...usual, { name: 'office', driver: 'bridge', bridge: 'flat-eth1' }])
    networks.setInstances([assignment('bridge:office')])
    await expect(networks.ready(assignment('bridge:office'))).rejects.toThrow(
      'write `network: lan:office`, or `networks: [office]`',
    )
    expect(networks.bridges).toEqual([])
  })

  it('are refused where they are no bridge', async () => {
    const { networks } = make([...usual, lan])
    await expect(networks.ready(assignment('bridge:lan'))).rejects.toThrow('of driver macvlan')
    await networks.ready(assignment())
    await networks.ready(assignment('host'))
  })
})
