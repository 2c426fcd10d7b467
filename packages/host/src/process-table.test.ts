import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { HostConfig } from './host-config.ts'
import { hostPaths } from './host-paths.ts'
import { processTable } from './process-table.ts'

const paths = hostPaths('/state', '/run/b')
const config = (over: Partial<HostConfig> = {}): HostConfig => ({
  node: 'a',
  address: '10.0.0.1',
  labels: {},
  dockerSocket: '/var/run/docker.sock',
  superviseDocker: false,
  gateway: { httpPort: 80, httpsPort: 443 },
  ...over,
})
const server = {
  listen: '0.0.0.0:7600',
  agentListen: '0.0.0.0:7601',
  names: [],
  addressPool: '10.77.0.0/16',
  gatewayUrl: 'http://10.0.0.1',
}
const names = (over: Partial<HostConfig>) => processTable(config(over), paths, ['berth']).map((each) => each.name)

describe('what runs on a machine, in the order of its start', () => {
  it.each<[string, Partial<HostConfig>, string[]]>([
    ['one that joined', {}, ['netd', 'agent']],
    ['one with a server', { server }, ['netd', 'server', 'agent']],
    ['one whose Docker is ours', { server, superviseDocker: true }, ['netd', 'dockerd', 'server', 'agent']],
    ['one that is being left', { server, superviseDocker: true, leaving: true }, ['dockerd']],
    ['one that is being left, with a Docker of its own', { server, leaving: true }, []],
  ])('%s', (_, over, expected) => {
    expect(names(over)).toEqual(expected)
  })
})

it('every role is this program, and is told the folders of this machine', () => {
  const [netd] = processTable(config(), paths, ['/usr/bin/node', '/opt/berth.ts'])
  expect(netd?.argv).toEqual(['/usr/bin/node', '/opt/berth.ts', 'netd', '--state-dir', '/state', '--run-dir', '/run/b'])
})

it('a Docker that is ours listens where it is looked for', () => {
  const dockerd = processTable(config({ superviseDocker: true, dockerSocket: '/run/x.sock' }), paths, ['berth'])[1]
  expect(dockerd?.argv.slice(1, 3)).toEqual(['-H', 'unix:///run/x.sock'])
  expect(dockerd?.argv[0]).toMatch(/dockerd$/)
})

it.each([
  ['no file', undefined, ['-H', 'unix:///var/run/docker.sock', '--live-restore']],
  ['other settings', '{"bip": "10.1.0.1/16"}', ['-H', 'unix:///var/run/docker.sock', '--live-restore']],
  ['live-restore on', '{"live-restore": true}', ['-H', 'unix:///var/run/docker.sock']],
  ['live-restore off', '{"live-restore": false}', ['-H', 'unix:///var/run/docker.sock']],
  ['sockets', '{"hosts": ["unix:///var/run/docker.sock"]}', ['--live-restore']],
  ['something unreadable', '{', ['-H', 'unix:///var/run/docker.sock', '--live-restore']],
])('dockerd takes no option that daemon.json has as well: it has %s', (_, text, expected) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-daemon-json-'))
  const file = join(dir, 'daemon.json')
  if (text !== undefined) writeFileSync(file, text)
  const dockerd = processTable(config({ superviseDocker: true }), paths, ['berth'], file)[1]
  rmSync(dir, { recursive: true })
  expect(dockerd?.argv.slice(1)).toEqual(expected)
})
