import type { BooksNode, InstanceRequest } from '../../packages/core/src/index.ts'

/** Seeded inputs of the scheduler's figures: the same numbers on every machine. */

export const gibibyte = 1024 ** 3
export const mebibyte = 1024 ** 2

/** Mulberry32 (Tommy Ettinger, public domain): uniform in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const boundRule = { cpu: 'bound', shareBase: 10, oversellMilli: 1000 } as const
export const sites = ['bj', 'sh', 'cloud'] as const

const machines = [
  { cpuMilli: 16_000, memoryBytes: 64 * gibibyte },
  { cpuMilli: 24_000, memoryBytes: 96 * gibibyte },
  { cpuMilli: 32_000, memoryBytes: 128 * gibibyte },
  { cpuMilli: 64_000, memoryBytes: 256 * gibibyte },
] as const

/** Machines of four sizes in three sites, all in one bound group. */
export function mixedNodes(count: number, seed: number): BooksNode[] {
  const random = randomFrom(seed)
  return Array.from({ length: count }, (_, index) => ({
    ...machines[Math.floor(random() * machines.length)]!,
    name: `node-${index}`,
    group: 'bound',
    labels: { site: sites[index % sites.length]!, disk: random() < 0.5 ? 'ssd' : 'hdd' },
    addresses: 1000,
  }))
}

/** Arrivals of a mixed load: sizes from 0.1 to 8 cores and from 128 MiB to 16 GiB, mostly small, of many apps in turn. */
export function* arrivals(seed: number, apps: number): Generator<InstanceRequest, never> {
  const random = randomFrom(seed)
  for (;;) {
    const app = Math.floor(random() * apps)
    yield {
      entrypoint: `app-${app}/production/web`,
      group: 'bound',
      cpuMilli: 100 * Math.ceil(80 * random() ** 3),
      memoryBytes: 128 * mebibyte * Math.ceil(128 * random() ** 3),
    }
  }
}

/** The same with instances so small that a million fit on ten thousand nodes. */
export function* smallArrivals(seed: number, apps: number): Generator<InstanceRequest, never> {
  const random = randomFrom(seed)
  for (const request of arrivals(seed ^ 0x5eed, apps))
    yield {
      ...request,
      cpuMilli: 100 * Math.ceil(8 * random() ** 3),
      memoryBytes: 128 * mebibyte * Math.ceil(16 * random() ** 3),
    }
  throw new Error('arrivals never end')
}
