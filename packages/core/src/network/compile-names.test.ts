import { expect, it } from 'vitest'
import type { Instance, InstanceStatus } from '../model/index.ts'
import { appSpec, entrypointSpec, instanceRecord, statusRecord } from '../reconcile/pool-fixtures.testing.ts'
import { compileNames, sameNames } from './compile-names.ts'

const spec = appSpec({ web: entrypointSpec() })
const specOf = (_: string, release: string) => (release === 'v1' ? spec : undefined)
const apps = [{ app: 'shop', entrypoints: ['web'], pools: ['production'] }]

function pooled(ordinal: number, over: Partial<Instance> = {}, status: Partial<InstanceStatus> = {}) {
  const instance = instanceRecord({ entrypoint: 'web', ordinal, node: 'node-a', address: `10.0.0.${ordinal}`, ...over })
  return { instance, status: statusRecord(instance, { phase: 'running', ready: true, ...status }) }
}

it('names what serves, in the order of ids, with the ports of its own release', () => {
  const { entries, version } = compileNames([pooled(2), pooled(1), pooled(3, { release: 'v0' })], specOf, apps, 5)
  expect(version).toBe(5)
  expect(entries.map(({ instance, address, ports }) => [instance, address, ports.length])).toEqual([
    ['shop.production.web-1', '10.0.0.1', 1],
    ['shop.production.web-2', '10.0.0.2', 1],
    ['shop.production.web-3', '10.0.0.3', 0],
  ])
})

it('names what is in a bridge of its node by the ports of the node that lead to it, and nothing where none does', () => {
  const ports = [
    { name: 'http', port: 8080, protocol: 'tcp', hostPort: 18080 },
    { name: 'metrics', port: 9090, protocol: 'tcp' },
  ] as const
  const bridged = appSpec({ web: entrypointSpec({ ports }) })
  const guest = { ...{ network: 'bridge', address: '192.0.2.1' }, release: 'v2' } as const
  const inside = pooled(2, { network: 'bridge:storage', address: '192.0.2.1' })
  const of = (_: string, release: string) => (release === 'v2' ? bridged : spec)
  const { entries } = compileNames([pooled(1, guest), inside, pooled(3, { ...guest, network: 'host' })], of, apps, 1)
  expect(entries.map(({ instance, address, ports }) => [instance, address, ports.map(({ port }) => port)])).toEqual([
    ['shop.production.web-1', '192.0.2.1', [18080]],
    ['shop.production.web-3', '192.0.2.1', [8080, 9090]],
  ])
})

it.each([
  ['not ready', pooled(1, {}, { ready: false })],
  ['leaving', pooled(1, { desired: 'drain' })],
  ['ordered to stop', pooled(1, { desired: 'stop' })],
  ['a job', pooled(1, { type: 'job' })],
  ['never heard of', { instance: pooled(1).instance }],
  ['without an address', { ...pooled(1), instance: instanceRecord({ entrypoint: 'web', ordinal: 1 }) }],
])('does not name one that is %s', (_, instance) => {
  expect(compileNames([instance], specOf, apps, 1).entries).toEqual([])
})

it('knows equal tables whatever their version', () => {
  expect(sameNames(compileNames([pooled(1)], specOf, apps, 1), compileNames([pooled(1)], specOf, apps, 2))).toBe(true)
  expect(sameNames(compileNames([pooled(1)], specOf, apps, 1), compileNames([pooled(1)], specOf, [], 1))).toBe(false)
})
