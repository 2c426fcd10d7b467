import { expect, it } from 'vitest'
import type { InstanceRequest } from './instance-request.ts'
import { keyedFields, termsKey } from './terms-key.ts'

/** Requests that differ in one thing. */
const samples: readonly Partial<InstanceRequest>[] = [
  {},
  { entrypoint: 'shop/p/db' },
  { diskBytes: 1 },
  { resources: { gpu: 1 } },
  { resources: { gpu: 2 } },
  { resources: { fpga: 1 } },
  { hostPorts: [80] },
  { hostPorts: [80, 81] },
  { network: 'host' },
  { network: 'bridge:a' },
  { networks: ['bridge'] },
  { networks: ['a', 'b'] },
  { volumes: ['data'] },
  { volumes: ['80'] },
  { group: 'bound' },
  { strategy: { type: 'pack' } },
  { strategy: { type: 'fill', count: 1 } },
  { strategy: { type: 'fill', count: 2 } },
  { where: ['gpu'] },
  { where: ['gpu', 'disk'] },
  { prefer: [{ where: 'gpu', weight: 1 }] },
  { prefer: [{ where: 'gpu', weight: 2 }] },
  { apart: [{ app: 'shop' }] },
  { apart: [{ app: 'shop', entrypoint: 'db' }] },
  { apart: [{ app: 'shop', weight: 1 }] },
  { apart: [{ app: 'shop', over: 'site' }] },
  { near: [{ app: 'shop' }] },
  { spread: { over: 'site' } },
  { spread: { over: 'site', shares: { bj: 1 } } },
  { spread: { over: 'site', shares: { bj: 2 } } },
  { max: { node: 1 } },
  { max: { site: 1 } },
  { tolerate: [{ key: 'gpu' }] },
  { tolerate: [{ key: 'gpu', value: 'only' }] },
  { tolerate: [{ key: 'gpu', value: '' }] },
  { evenCordoned: true },
  { hasAddress: true },
  { priority: 1 },
  { preempt: true },
  { preemptible: true },
  { seed: 1 },
]

const request = (over: Partial<InstanceRequest>): InstanceRequest => ({ entrypoint: 'shop/p/web', ...over })

it('requests that differ in anything but their sizes have different keys', () => {
  const keys = samples.map((sample) => termsKey(request(sample)))
  expect(new Set(keys).size).toBe(samples.length)
  expect(new Set(samples.flatMap((sample) => Object.keys(sample)))).toEqual(new Set(Object.keys(keyedFields)))
})

it('sizes, and what is said but asks for nothing, make no difference', () => {
  const empty = { where: [], resources: {}, hostPorts: [], apart: [], near: [], prefer: [], tolerate: [], max: {} }
  const key = termsKey(request({}))
  expect(termsKey(request({ cpuMilli: 100, memoryBytes: 5, unbound: true }))).toBe(key)
  expect(termsKey(request({ ...empty, preempt: false, strategy: { type: 'spread' } }))).toBe(key)
})
