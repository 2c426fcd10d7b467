import { regulateWeights } from '@berth/core'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import type { ContainerCgroup } from './container-cgroup.ts'
import type { WatchedFragment } from './core-keeper.ts'
import { WeightRegulator } from './weight-regulator.ts'

/** A cgroup whose counters the test moves. */
class PretendedCgroup {
  usedNs = 0
  waitedNs = 0
  shares: number
  isGone = false
  reads = 0

  constructor(shares: number) {
    this.shares = shares
  }

  run(milli: number, seconds: number, waiting: number): void {
    this.usedNs += milli * seconds * 1e6
    this.waitedNs += waiting * seconds * 1e9
  }

  get port(): ContainerCgroup {
    const cgroup: Pick<ContainerCgroup, 'use' | 'shares' | 'write'> = {
      use: () => {
        this.reads += 1
        if (this.isGone) throw new Error('ENOENT')
        return { usedNs: this.usedNs, waitedNs: this.waitedNs }
      },
      shares: () => this.shares,
      write: ({ shares }) => {
        this.shares = shares ?? this.shares
      },
    }
    return cgroup as ContainerCgroup
  }
}

const regulators: WeightRegulator[] = []
afterEach(async () => await Promise.all(regulators.splice(0).map((each) => each[Symbol.asyncDispose]())))

function world() {
  const [a, b] = [new PretendedCgroup(1229), new PretendedCgroup(819)]
  const clock = { ms: 1_000_000 }
  const fragments: WatchedFragment[] = [
    { instance: 'a', promisedMilli: 1200, fragmentMilli: 200, cgroup: a.port },
    { instance: 'b', promisedMilli: 800, fragmentMilli: 800, cgroup: b.port },
  ]
  const made = new WeightRegulator({
    sharedCores: () => [{ core: 1, fragments }],
    log: pino({ level: 'silent' }),
    monotonicMs: () => clock.ms,
    calmMs: 1e6,
    busyMs: 1e6,
  })
  regulators.push(made)
  const second = (usedA: number, usedB: number, waitingB = 1) => {
    a.run(usedA, 1, 1)
    b.run(usedB, 1, waitingB)
    clock.ms += 1000
    made.step()
  }
  return { a, b, fragments, regulator: made, second }
}

describe('the regulator', () => {
  it('moves weights where somebody starves, and says who', () => {
    const { a, b, regulator, second } = world()
    second(1200, 800)
    expect([a.shares, b.shares, regulator.starving.size]).toEqual([1229, 819, 0])
    second(1400, 600)
    const uses = [
      { instance: 'a', promisedMilli: 1200, fragmentMilli: 200, usedMilli: 1400, waiting: 1, shares: 1229 },
      { instance: 'b', promisedMilli: 800, fragmentMilli: 800, usedMilli: 600, waiting: 1, shares: 819 },
    ]
    expect({ a: a.shares, b: b.shares }).toEqual(Object.fromEntries(regulateWeights(uses).shares))
    expect([...regulator.starving]).toEqual(['b'])
    second(1200, 800)
    expect(regulator.starving.size).toBe(0)
  })

  it('does nothing for who does not want more', () => {
    const { a, b, second } = world()
    second(1200, 800)
    second(1400, 600, 0)
    expect([a.shares, b.shares]).toEqual([1229, 819])
  })

  it('begins anew with a container that was started again, and does without one that is gone', () => {
    const { a, b, fragments, second } = world()
    second(1200, 800)
    const restarted = new PretendedCgroup(819)
    fragments[1] = { ...fragments[1]!, cgroup: restarted.port }
    second(1400, 600)
    expect([a.shares, restarted.shares, b.shares]).toEqual([1229, 819, 819])
    restarted.isGone = true
    expect(() => second(1400, 600)).not.toThrow()
    expect(a.shares).toBe(1229)
  })

  it('looks closely only where somebody starved lately', () => {
    const { a, regulator, second } = world()
    const looks = () => {
      const before = a.reads
      regulator.step(false)
      return a.reads - before
    }
    second(1200, 800)
    expect(looks()).toBe(0)
    second(1400, 600)
    expect(looks()).toBe(1)
    for (let count = 0; count < 6; count += 1) second(1200, 800)
    expect(looks()).toBe(0)
  })

  it('looks by itself', async () => {
    const { a, fragments } = world()
    const regulator = new WeightRegulator({
      sharedCores: () => [{ core: 1, fragments }],
      log: pino({ level: 'silent' }),
      calmMs: 5,
    })
    regulators.push(regulator)
    await waitUntil('some looks', () => a.reads > 3)
    expect(a.shares).toBe(1229)
  })
})
