import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostPaths, writeHostConfig } from '@berth/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configOf, fittingDriver, type HostOptions, stayingAsItIs } from './host-options.ts'

let stateDir: string
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'berth-host-options-'))
})
afterEach(() => rmSync(stateDir, { recursive: true }))

/** With a socket that is not the usual one, so that no Docker of this machine is looked at. */
async function told(options: Partial<HostOptions>, withServer = true) {
  const paths = hostPaths(stateDir, join(stateDir, 'run'))
  const all = { stateDir, runDir: paths.runDir, label: [], name: [], docker: join(stateDir, 'docker.sock'), ...options }
  return await configOf(all, paths, withServer)
}

it('what is not said is as it was said before, else the default', async () => {
  const first = await told({
    ...{ node: 'first', address: '10.0.0.1', label: ['disk=ssd'], httpPort: '8080', keepEnded: '1' },
    ...{ listen: '10.0.0.1:7700', name: ['berth.example'], addressPool: '10.9.0.0/16' },
  })
  expect(first).toMatchObject({
    ...{ node: 'first', address: '10.0.0.1', labels: { gateway: 'true', disk: 'ssd' }, keepEndedDays: 1 },
    gateway: { httpPort: 8080, httpsPort: 443 },
    server: {
      ...{ listen: '10.0.0.1:7700', agentListen: '0.0.0.0:7601', addressPool: '10.9.0.0/16' },
      ...{ names: ['berth.example', '10.0.0.1', 'first'], gatewayUrl: 'http://10.0.0.1:8080' },
    },
  })
  writeHostConfig(hostPaths(stateDir, join(stateDir, 'run')).config, first)
  expect(await told({})).toEqual(first)
  expect(await told({ httpPort: '80', label: ['disk=nvme'] })).toEqual({
    ...first,
    labels: { gateway: 'true', disk: 'nvme' },
    gateway: { httpPort: 80, httpsPort: 443 },
    server: { ...first.server, gatewayUrl: 'http://10.0.0.1' },
  })
})

it('a gateway believes the proxies that it was told, and writes a log, until that is taken back', async () => {
  const gateway = { httpPort: 80, httpsPort: 443, trustedProxies: ['10.0.0.0/8', '2001:db8::1'], accessLog: true }
  const first = await told({ trustedProxy: ['10.0.0.0/8', '2001:db8::1'], accessLog: 'on' })
  expect(first.gateway).toEqual(gateway)
  writeHostConfig(hostPaths(stateDir, join(stateDir, 'run')).config, first)
  expect((await told({})).gateway).toEqual(gateway)
  const { gateway: less } = await told({ trustedProxy: ['none'], accessLog: 'off', directPeers: 'off' })
  expect(less).toEqual({ httpPort: 80, httpsPort: 443, accessLog: false, directPeers: false })
})

it.each(['10.0.0.0/33', '10.0.0', 'proxy.example', '::/129', '10.0.0.0/8/8', '10.0.0.0/'])(
  'no proxy is %j',
  async (proxy) => {
    await expect(told({ trustedProxy: [proxy] })).rejects.toThrow('an address or a network such as 10.0.0.0/8')
    await expect(told({ accessLog: 'yes' })).rejects.toThrow('--access-log yes: on or off')
  },
)

it('programs made for Consul are answered where it was said, until that is taken back', async () => {
  const first = await told({ consulListen: '127.0.0.1:8500', consulTlsListen: '0.0.0.0:8501', consulAnonymous: 'read' })
  expect(first.server?.consul).toEqual({ listen: '127.0.0.1:8500', tlsListen: '0.0.0.0:8501', anonymous: 'read' })
  writeHostConfig(hostPaths(stateDir, join(stateDir, 'run')).config, first)
  expect((await told({})).server?.consul).toEqual(first.server?.consul)
  const less = await told({ consulTlsListen: 'off', consulAnonymous: 'none' })
  expect(less.server?.consul).toEqual({ listen: '127.0.0.1:8500' })
  expect((await told({ consulListen: 'off', consulTlsListen: 'off' })).server).not.toHaveProperty('consul')
  await expect(told({ consulAnonymous: 'write' })).rejects.toThrow('read or none')
})

it('a machine that joins once more stays what it is, to the letter, so that nothing is restarted', async () => {
  for (const withServer of [true, false]) {
    const first = await told({ node: 'first', address: '10.0.0.1', label: ['disk=ssd'], network: 'routed' }, withServer)
    writeHostConfig(hostPaths(stateDir, join(stateDir, 'run')).config, first)
    const again = stayingAsItIs(await told({ label: ['gateway=false'] }, false), first)
    expect(JSON.stringify(again)).toBe(JSON.stringify(first))
  }
})

it('a new machine gets routed links where its kernel answers for them, one from before keeps its bridge, and each what it was told', async () => {
  const first = await told({ node: 'first', address: '10.0.0.1' })
  expect(first.network).toBe(fittingDriver())
  expect((await told({ network: 'bridge' })).network).toBe('bridge')
  const config = hostPaths(stateDir, join(stateDir, 'run')).config
  const { network: _, ...before } = first
  writeHostConfig(config, before)
  expect(await told({})).not.toHaveProperty('network')
  writeHostConfig(config, await told({ network: 'routed' }))
  expect((await told({})).network).toBe('routed')
  expect((await told({}, false)).network).toBe('routed')
  expect((await told({ network: 'bridge' })).network).toBe('bridge')
  const missing = (): string => {
    throw new Error('ENOENT')
  }
  expect([fittingDriver(() => '0\n'), fittingDriver(() => '1\n'), fittingDriver(missing)]).toEqual([
    'routed',
    'bridge',
    'bridge',
  ])
})

describe('what no machine could do is refused before anything is changed', () => {
  it.each([
    [{ listen: '7600' }, 'write ADDRESS:PORT'],
    [{ listen: '0.0.0.0:76000' }, 'write ADDRESS:PORT'],
    [{ agentListen: 'x y:1' }, 'write ADDRESS:PORT'],
    [{ addressPool: '10.0.0.0' }, '10.0.0.0'],
    [{ address: 'h1' }, 'is no IP address'],
    [{ node: 'My Node' }, '"my-node" would do'],
    [{ httpPort: 'http' }, 'is no port'],
    [{ keepEnded: 'long' }, 'is no number of days'],
    [{ network: 'route' }, 'did you mean routed?'],
    [{ network: 'macvlan' }, 'write bridge or routed'],
  ])('%j', async (options, words) => {
    await expect(told(options)).rejects.toThrow(words)
  })
})
