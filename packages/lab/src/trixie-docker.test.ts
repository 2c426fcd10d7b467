import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeBaseImages, NODE_IMAGE } from './base-image.ts'
import { createLab } from './create-lab.ts'
import { trixieDocker } from './trixie-docker.ts'

const isDebian = /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
const MINUTES = 60_000

if (isDebian) {
  describe('Docker 26 of Debian 13', () => {
    test(
      'a host runs it, and containers that go on when it is killed',
      async () => {
        await using lab = await createLab({ hosts: [await trixieDocker()] })
        const host = lab.hosts[0]!
        const docker = async (...args: string[]) => (await host.exec(['docker', ...args])).stdout.trim()
        await makeBaseImages(host.dockerHost)
        expect(await docker('version', '--format', '{{.Server.Version}}')).toMatch(/^26\./)
        const limits = ['--cpus', '0.5', '--memory', '128m']
        expect(await docker('run', '--rm', ...limits, NODE_IMAGE, 'node', '--version')).toBe(process.version)

        await docker('run', '--detach', '--name', 'sleeper', NODE_IMAGE, 'sleep', '3600')
        const pid = () => docker('inspect', '--format', '{{.State.Pid}}', 'sleeper')
        const before = await pid()
        expect(Number(before)).toBeGreaterThan(0)
        await host.killDockerd('SIGKILL')
        await host.startDockerd()
        expect(await pid()).toBe(before)
      },
      10 * MINUTES,
    )
  })
} else {
  test(
    'where apt knows no Debian mirror, the error says what to give',
    async () => {
      await expect(trixieDocker({ dir: '/tmp/berth-no-mirror' })).rejects.toThrow('name one by `mirror`')
    },
    2 * MINUTES,
  )
}
