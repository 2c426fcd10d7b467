import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FurtherBlock, Node } from '../model/index.ts'
import { blocksOverlap, containsAddress, firstFreeAddress, parseBlock } from './address-block.ts'
import { type AddressPool, chooseBlock, defaultAddressPool, freeBlockOf, poolOf } from './address-pool.ts'
import {
  type BlockNeed,
  type BlockStep,
  blocksOf,
  givingBlocks,
  nextBlockStep,
  roomIn,
  spareAddresses,
  withStep,
} from './further-blocks.ts'

const first = '10.77.0.0/28'
const second = '10.77.0.16/28'
const routed = { driver: 'routed', range: '10.77.0.0/16', blocks: [second] } as const
const held: FurtherBlock = { block: second, since: 1 }
const need = (change: Partial<BlockNeed>): BlockNeed => ({
  ...{ node: { block: first }, network: routed, usedIn: () => 0, isOffered: true, isWanted: false, limit: 4 },
  ...{ freeBlock: () => second, emptySince: () => 0, idleMs: 100, now: 1000 },
  ...change,
})
const withSecond = (change: Partial<FurtherBlock> = {}) => ({
  node: { block: first, furtherBlocks: [{ ...held, ...change }] },
})
/** Of the first block's 12 addresses for instances. */
const used = (inFirst: number, inSecond = 0) => ({
  usedIn: (block: string) => (block === first ? inFirst : inSecond),
})

describe('what is done about a node’s blocks', () => {
  it.each<[string, Partial<BlockNeed>, BlockStep | undefined]>([
    ['nothing while addresses are left', used(10), undefined],
    ['one more is taken when the last but one is given', used(11), { do: 'take', block: second }],
    ['or an instance found none', { ...used(5), isWanted: true }, { do: 'take', block: second }],
    [
      'but not while one is on its way',
      { ...used(5), ...withSecond(), isWanted: true, network: { ...routed, blocks: [] }, emptySince: () => 1000 },
      undefined,
    ],
    ['none with a bridge', { ...used(12), network: { driver: 'bridge', blocks: [] } }, undefined],
    ['none while it is to have a bridge', { ...used(12), network: { ...routed, wanted: 'bridge' } }, undefined],
    [
      'none where the agent knows of one',
      { ...used(12), network: { driver: 'routed', range: '10.77.0.0/16' } },
      undefined,
    ],
    [
      'none where Docker’s network is the block’s',
      { ...used(12), network: { driver: 'routed', blocks: [] } },
      undefined,
    ],
    ['none that nobody offers', { ...used(12), isOffered: false }, undefined],
    ['none above the limit', { ...used(12), limit: 1 }, undefined],
    ['none where the pool has none', { ...used(12), freeBlock: () => undefined }, undefined],
    ['an empty one goes', { ...used(2), ...withSecond() }, { do: 'leave', block: second }],
    ['not before its time', { ...used(2), ...withSecond(), emptySince: () => 950 }, undefined],
    ['not with an address in it', { ...used(2, 1), ...withSecond() }, undefined],
    ['not where it will be wanted again', { ...used(10), ...withSecond() }, undefined],
    [
      'it stays where it is wanted meanwhile',
      { ...used(11), ...withSecond({ leavingSince: 900 }) },
      { do: 'keep', block: second },
    ],
    ['it is returned', { ...used(2), ...withSecond({ leavingSince: 900 }) }, { do: 'return', block: second }],
    [
      'at once where the node has a bridge now',
      { ...used(11), ...withSecond(), network: { driver: 'bridge', blocks: [] }, emptySince: () => undefined },
      { do: 'leave', block: second },
    ],
    ['nothing without a block at all', { node: { block: '' }, isWanted: true }, undefined],
  ])('%s', (_, change, step) => {
    expect(nextBlockStep(need(change))).toEqual(step)
  })

  it('is given of the first before the others, and of none that is not in force or leaves', () => {
    const third = { block: '10.77.0.32/28', since: 2 }
    const node = { block: first, furtherBlocks: [held, third] }
    expect(givingBlocks(node, routed)).toEqual([first, second])
    expect(givingBlocks(node, { ...routed, blocks: [third.block, second] })).toEqual([first, second, third.block])
    expect(givingBlocks({ block: first, furtherBlocks: [{ ...held, leavingSince: 3 }] }, routed)).toEqual([first])
    expect(givingBlocks(node, { ...routed, wanted: 'bridge' })).toEqual([first])
    expect(givingBlocks(node, undefined)).toEqual([first])
    expect([roomIn(node, first, routed), roomIn(node, second, routed), roomIn(node, first, undefined)]).toEqual([
      12, 13, 13,
    ])
    expect([spareAddresses(first), spareAddresses('10.77.0.0/24'), spareAddresses('10.77.0.0/29')]).toEqual([1, 31, 1])
  })
})

const happening = fc.oneof(
  fc.record({ do: fc.constant('join' as const), site: fc.constantFrom(undefined, 'paris') }),
  fc.record({ do: fc.constant('leave' as const), which: fc.nat(6) }),
  fc.record({ do: fc.constant('start' as const), which: fc.nat(6), count: fc.integer({ min: 1, max: 14 }) }),
  fc.record({ do: fc.constant('stop' as const), which: fc.nat(6), count: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 200) }),
  fc.record({ do: fc.constant('toggle' as const), which: fc.nat(1) }),
  fc.record({ do: fc.constant('driver' as const), which: fc.nat(6) }),
)

interface World {
  pools: AddressPool[]
  nodes: { name: string; record: Pick<Node, 'block' | 'furtherBlocks'>; isRouted: boolean; addresses: Set<string> }[]
  now: number
  readonly emptySince: Map<string, number>
}
type Machine = World['nodes'][number]

const networkOf = ({ record, isRouted }: Machine) =>
  isRouted
    ? ({ driver: 'routed', range: '10.0.0.0/8', blocks: blocksOf(record).slice(1) } as const)
    : ({ driver: 'bridge', blocks: [] } as const)

/** Takes steps until there is none, as the server does; how many it took. */
function settle(world: World, machine: Machine, isWanted: boolean): number {
  for (let steps = 0; steps < 20; steps++) {
    const { record } = machine
    const pool = poolOf(world.pools, record.block)
    const isTaken = (block: string) => world.nodes.some((each) => blocksOf(each.record).includes(block))
    const usedIn = (block: string) =>
      [...machine.addresses].filter((each) => containsAddress(parseBlock(block), each)).length
    for (const block of blocksOf(record)) {
      if (usedIn(block) > 0) world.emptySince.delete(block)
      else if (!world.emptySince.has(block)) world.emptySince.set(block, world.now)
    }
    const step = nextBlockStep({
      ...{ node: record, network: networkOf(machine), usedIn, isWanted: isWanted && steps === 0, limit: 3 },
      isOffered: pool?.disabled === false,
      freeBlock: () => (pool === undefined ? undefined : freeBlockOf(pool, isTaken)),
      emptySince: (block) => world.emptySince.get(block),
      ...{ idleMs: 100, now: world.now },
    })
    if (step === undefined) return steps
    if (step.do === 'take') {
      expect(isTaken(step.block)).toBe(false)
      expect(pool?.disabled).toBe(false)
      expect(machine.isRouted).toBe(true)
    } else expect(usedIn(step.block)).toBe(0)
    const furtherBlocks = withStep(record.furtherBlocks ?? [], step, world.now)
    machine.record = { ...record, ...(furtherBlocks.length === 0 ? { furtherBlocks: [] } : { furtherBlocks }) }
    if (step.do === 'return') world.emptySince.delete(step.block)
  }
  throw new Error('it never settles')
}

/** Of the first that has one; false: none has. */
function start(machine: Machine): boolean {
  const network = networkOf(machine)
  for (const block of givingBlocks(machine.record, network)) {
    const kept = parseBlock(block)
    const address = firstFreeAddress(
      kept,
      machine.addresses,
      undefined,
      block === machine.record.block && machine.isRouted ? 1 : 0,
    )
    if (address === undefined) continue
    machine.addresses.add(address)
    return true
  }
  return false
}

function check(world: World): void {
  const all = world.nodes.flatMap((each) => blocksOf(each.record))
  for (const [index, block] of all.entries())
    for (const other of all.slice(index + 1)) expect(blocksOverlap(parseBlock(block), parseBlock(other))).toBe(false)
  for (const { record, addresses } of world.nodes) {
    expect(blocksOf(record).length).toBeLessThanOrEqual(3)
    const pool = poolOf(world.pools, record.block)
    for (const block of blocksOf(record)) expect(poolOf(world.pools, block)).toBe(pool)
    for (const address of addresses)
      expect(blocksOf(record).some((block) => containsAddress(parseBlock(block), address))).toBe(true)
  }
}

it('never gives two nodes one block, gives back only what is empty, and ends, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 50 }), (events) => {
      const paris = { ...defaultAddressPool('10.80.0.0/26'), name: 'paris', sites: ['paris'], blockPrefix: 29 }
      const world: World = {
        pools: [{ ...defaultAddressPool('10.77.0.0/25'), blockPrefix: 28 }, paris],
        nodes: [],
        now: 0,
        emptySince: new Map(),
      }
      const at = (which: number): Machine | undefined => world.nodes[which % Math.max(1, world.nodes.length)]
      for (const [index, event] of events.entries()) {
        world.now += 1
        if (event.do === 'join') {
          try {
            const seeker = { site: event.site, group: 'default' }
            const isTaken = (block: string) => world.nodes.some((each) => blocksOf(each.record).includes(block))
            const { block } = chooseBlock(world.pools, seeker, isTaken)
            world.nodes.push({ name: `n${index}`, record: { block }, isRouted: true, addresses: new Set() })
          } catch {}
        } else if (event.do === 'toggle')
          world.pools = world.pools.map((pool, each) =>
            each === event.which ? { ...pool, disabled: !pool.disabled } : pool,
          )
        else if (event.do === 'wait') world.now += event.ms
        else {
          const machine = at(event.which)
          if (machine === undefined) continue
          if (event.do === 'leave') world.nodes = world.nodes.filter((each) => each !== machine)
          else if (event.do === 'driver') {
            // Only while no container is there.
            if (machine.addresses.size === 0) machine.isRouted = !machine.isRouted
          } else if (event.do === 'stop')
            for (const address of [...machine.addresses].slice(0, event.count)) machine.addresses.delete(address)
          else
            for (let n = 0; n < event.count; n++)
              if (!start(machine)) {
                settle(world, machine, true)
                start(machine)
              } else settle(world, machine, false)
        }
        for (const machine of world.nodes) settle(world, machine, false)
        check(world)
        for (const machine of world.nodes) expect(settle(world, machine, false)).toBe(0)
      }
      // All that is empty goes in the end.
      for (const machine of world.nodes) {
        machine.addresses.clear()
        settle(world, machine, false)
        world.now += 200
        settle(world, machine, false)
        expect(blocksOf(machine.record)).toHaveLength(1)
      }
    }),
    { numRuns: 500 },
  )
})
