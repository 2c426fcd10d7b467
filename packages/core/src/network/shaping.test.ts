import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BandwidthLimits } from '../model/assignment.ts'
import { renderPolicing } from './policing.ts'
import {
  ifbOf,
  isIfb,
  isShaped,
  linkShaping,
  type Qdisc,
  queueDrops,
  redirectsIn,
  type ShapedLink,
  shapingHandle,
  shapingLines,
} from './shaping.ts'

const container = 'f3c0ffee0123456789abcdef'.padEnd(64, '0')
const bits = fc.integer({ min: 100, max: 1_000_000_000 }).map((kilobits) => kilobits * 1000)
const limits: fc.Arbitrary<BandwidthLimits> = fc.record(
  { inBitsPerSecond: bits, outBitsPerSecond: bits },
  { requiredKeys: [] },
)
const linkOf = (of: BandwidthLimits): ShapedLink => ({ link: 'veth12', ifb: ifbOf(container), limits: of })

/** What the kernel has after these lines, as `tc` tells it. */
class Kernel {
  readonly qdiscs = new Map<string, Qdisc>()
  redirects: string[] = []

  carryOut(lines: readonly string[]): void {
    for (const line of lines) {
      const words = line.split(' ')
      const dev = words[3]!
      if (line.endsWith('ingress')) this.#add(`${dev} ingress`, { kind: 'ingress', handle: 'ffff:', dev })
      else if (line.startsWith('qdisc del')) this.qdiscs.delete(dev)
      else if (line.startsWith('qdisc replace'))
        this.#replace(dev, Number(/rate (\d+)bit/.exec(line)?.[1]), Number(/burst (\d+)b/.exec(line)?.[1]))
      else if (line.startsWith('filter del')) this.redirects = []
      else this.redirects = [words.at(-1)!]
    }
  }

  #add(key: string, qdisc: Qdisc): void {
    // The kernel refuses a second one.
    expect(this.qdiscs.has(key)).toBe(false)
    this.qdiscs.set(key, qdisc)
  }

  #replace(dev: string, rateBits: number, burst: number): void {
    expect(burst).toBeGreaterThan(65_536)
    this.qdiscs.set(dev, { kind: 'tbf', handle: shapingHandle, dev, options: { rate: Math.floor(rateBits / 8) } })
  }

  shows(link: ShapedLink) {
    return linkShaping(link, [...this.qdiscs.values()], this.redirects)
  }
}

describe('shaping', () => {
  it('comes to what is wanted from whatever was before, and then holds', () => {
    fc.assert(
      fc.property(fc.array(limits, { minLength: 1, maxLength: 5 }), (changes) => {
        const kernel = new Kernel()
        for (const change of changes) {
          const link = linkOf(change)
          kernel.carryOut(shapingLines(link, kernel.shows(link)))
          expect(isShaped(link, kernel.shows(link))).toBe(true)
        }
      }),
    )
  })

  it('is not taken for another limit', () => {
    fc.assert(
      fc.property(limits, limits, (wanted, other) => {
        fc.pre(wanted.inBitsPerSecond !== other.inBitsPerSecond || wanted.outBitsPerSecond !== other.outBitsPerSecond)
        const kernel = new Kernel()
        kernel.carryOut(shapingLines(linkOf(other), kernel.shows(linkOf(other))))
        expect(isShaped(linkOf(wanted), kernel.shows(linkOf(wanted)))).toBe(false)
      }),
    )
  })

  it('knows its own devices by name, which the kernel takes', () => {
    expect(isIfb(ifbOf(container))).toBe(true)
    expect(ifbOf(container).length).toBeLessThanOrEqual(15)
    expect(['eth0', 'veth0', 'bw0', 'ifb0'].some(isIfb)).toBe(false)
  })

  it('does not take another queue on the link for its own', () => {
    const foreign: Qdisc = { kind: 'tbf', handle: '1:', dev: 'veth12', options: { rate: 125_000 } }
    expect(isShaped(linkOf({ inBitsPerSecond: 1_000_000 }), linkShaping(linkOf({}), [foreign], []))).toBe(false)
  })

  it('counts what its own queues dropped, and nobody else’s', () => {
    const link = linkOf({})
    const queue = { kind: 'tbf', handle: shapingHandle, drops: 7 }
    const foreign = { kind: 'tbf', handle: '1:', dev: link.link, drops: 100 }
    const others = [foreign, { ...queue, dev: 'veth13' }]
    expect(queueDrops(link, others)).toEqual({ in: 0, out: 0 })
    const own = [...others, { ...queue, dev: link.link }, { ...queue, dev: link.ifb, drops: 3 }]
    expect(queueDrops(link, own)).toEqual({ in: 7, out: 3 })
  })

  it('reads where packets are sent on to', () => {
    const text =
      'filter protocol all pref 1 u32\n  action order 1: mirred (Egress Redirect to device bwf3c0ffee0123) stolen\n'
    expect(redirectsIn(text)).toEqual(['bwf3c0ffee0123'])
    expect(redirectsIn('')).toEqual([])
  })
})

describe('policing', () => {
  it('is the same text for the same limits, in whatever order they come', () => {
    const address = fc.ipV4()
    const policed = fc.uniqueArray(fc.record({ address, limits }), { selector: (each) => each.address, maxLength: 6 })
    fc.assert(
      fc.property(policed, (addresses) => {
        const text = renderPolicing(addresses)
        expect(renderPolicing([...addresses].reverse())).toBe(text)
        const count = (of: 'in' | 'out'): number =>
          addresses.filter((each) => each.limits[`${of}BitsPerSecond`] !== undefined).length
        // In both families, each way.
        expect(text.match(/ip daddr /g) ?? []).toHaveLength(2 * count('in'))
        expect(text.match(/ip saddr /g) ?? []).toHaveLength(2 * count('out'))
      }),
    )
  })

  it('leaves nothing where nothing is limited', () => {
    expect(renderPolicing([])).not.toContain('chain')
  })
})
