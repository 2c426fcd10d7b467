import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeBaseImages, NODE_IMAGE } from './base-image.ts'
import { createLab } from './create-lab.ts'
import type { Lab } from './lab.ts'
import { trixieDocker } from './trixie-docker.ts'

let lab: Lab

beforeAll(async () => {
  lab = await createLab({ hosts: [await trixieDocker()] })
  await makeBaseImages(lab.hosts[0]!.dockerHost)
}, 600_000)
afterAll(() => lab?.[Symbol.asyncDispose]())

test('a host runs Docker 26 of Debian 13, and containers in it', async () => {
  const host = lab.hosts[0]!
  const version = await host.exec(['docker', 'version', '--format', '{{.Server.Version}}'])
  expect(version.stdout).toMatch(/^26\./)
  const node = await host.exec([
    'docker',
    'run',
    '--rm',
    '--cpus',
    '0.5',
    '--memory',
    '128m',
    NODE_IMAGE,
    'node',
    '--version',
  ])
  expect(node).toMatchObject({ code: 0, stdout: `${process.version}\n` })
})

test('containers go on when its dockerd is killed', async () => {
  const host = lab.hosts[0]!
  await host.exec(['docker', 'run', '--detach', '--name', 'sleeper', NODE_IMAGE, 'sleep', '3600'])
  const pid = async () => (await host.exec(['docker', 'inspect', '--format', '{{.State.Pid}}', 'sleeper'])).stdout
  const before = await pid()
  expect(Number(before)).toBeGreaterThan(0)
  await host.killDockerd('SIGKILL')
  await host.startDockerd()
  expect(await pid()).toBe(before)
})
