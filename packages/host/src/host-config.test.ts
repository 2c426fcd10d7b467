import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type HostConfig, readHostConfig, writeHostConfig } from './host-config.ts'
import { hostPaths } from './host-paths.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-host-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const config: HostConfig = {
  node: 'a',
  address: '10.0.0.1',
  labels: { gateway: 'true', 'zone name': 'ü "1"' },
  dockerSocket: '/var/run/docker.sock',
  superviseDocker: true,
  server: {
    listen: '0.0.0.0:7600',
    agentListen: '0.0.0.0:7601',
    names: ['berth.example'],
    addressPool: '10.77.0.0/16',
    gatewayUrl: 'http://10.0.0.1',
  },
  gateway: { httpPort: 80, httpsPort: 0 },
}

it('reads what it has written, in a folder that only the owner can look into', () => {
  const { config: path } = hostPaths(join(dir, 'state'), join(dir, 'run'))
  writeHostConfig(path, config)
  writeHostConfig(path, { ...config, node: 'b' })
  expect(readHostConfig(path)).toEqual({ ...config, node: 'b' })
  expect(readdirSync(join(dir, 'state'))).toEqual(['host.json'])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700)
})

it('knows a machine on which Berth is not up', () => {
  expect(readHostConfig(join(dir, 'host.json'))).toBeUndefined()
})

it.each([
  ['half a document', '{"node": "a"'],
  ['nothing', ''],
])('says what to do with %s', (_, text) => {
  const path = join(dir, 'host.json')
  writeFileSync(path, text)
  expect(() => readHostConfig(path)).toThrow(new RegExp(`^read ${path}: .*; run berth up again with its options`))
})

it('says when it may not read', () => {
  expect(() => readHostConfig(dir)).toThrow(`read ${dir}: EISDIR`)
})
