import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { messageOf } from '@berth/core'
import { describe, expect, it, vi } from 'vitest'
import { TestDockerd } from '../build/dockerd.testing.ts'
import { Scratch } from './scratch.ts'
import { TestHost } from './test-host.ts'
import { waitUntil } from './wait-until.ts'

vi.setConfig({ testTimeout: 300_000 })

/** What can be seen of a folder anywhere on the machine. */
function tracesOf(dir: string): string[] {
  const name = basename(dir)
  const processes = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8', maxBuffer: 1e8 })
  const mounts = execFileSync('cat', ['/proc/self/mounts'], { encoding: 'utf8' })
  const cgroups = readdirSync('/sys/fs/cgroup').map((each) => join('/sys/fs/cgroup', each, 'berth-test', name))
  return [
    ...`${processes}\n${mounts}`.split('\n').filter((line) => line.includes(dir)),
    ...[dir, `/var/run/netns/${name}`, join('/sys/fs/cgroup/berth-test', name), ...cgroups].filter(existsSync),
  ]
}

/** Who watches over the folder ends last, by itself. */
const untilNothingIsLeft = (dir: string): Promise<unknown> =>
  waitUntil(
    'nothing to be left',
    () => tracesOf(dir).length === 0,
    20_000,
    () => tracesOf(dir).join('\n'),
  )

/** One that nobody has waited for yet does nothing any more. */
const isAlive = (pid: number): boolean => {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'utf8'))
}

/** A process of its own that makes a machine for a test, runs a container on it, and then waits. */
async function startOwner(kind: 'host' | 'dockerd'): Promise<{ owner: ChildProcess; dir: string; pid: number }> {
  const script = join(import.meta.dirname, 'scratch-owner.ts')
  const owner = spawn(process.execPath, [script, kind], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(owner.stdout, 'data')) as [Buffer]
  return { owner, ...JSON.parse(line.toString()) }
}

describe('what a test leaves behind', () => {
  it('is nothing, whatever was started, mounted and made', async () => {
    const scratch = new Scratch('scratch')
    const { dir } = scratch
    const child = spawn('/bin/sh', ['-c', 'sleep 1000 & wait', dir], { stdio: 'ignore' })
    mkdirSync(join(dir, 'mount'))
    execFileSync('mount', ['-t', 'tmpfs', 'scratch', join(dir, 'mount')])
    writeFileSync(join(dir, 'mount/file'), 'x')
    execFileSync('ip', ['netns', 'add', basename(dir)])
    const ended = once(child, 'exit')
    await scratch[Symbol.asyncDispose]()
    await ended
    await untilNothingIsLeft(dir)
  })

  it.each(['host', 'dockerd'] as const)('is nothing when it is killed: a %s', async (kind) => {
    const { owner, dir, pid } = await startOwner(kind)
    expect(isAlive(pid)).toBe(true)
    expect(tracesOf(dir)).not.toEqual([])
    owner.kill('SIGKILL')
    await waitUntil(
      'nothing to be left',
      () => tracesOf(dir).length === 0 && !isAlive(pid),
      120_000,
      () => tracesOf(dir).join('\n'),
    )
  })

  it('is nothing when its dockerd was killed before', async () => {
    const dockerd = new TestDockerd()
    await dockerd.start()
    dockerd.importBusybox('test/base:1')
    const id = dockerd.docker('run', '--detach', 'test/base:1', 'sleep', '1000')
    const pid = Number(dockerd.docker('inspect', '--format', '{{.State.Pid}}', id))
    await dockerd.kill('SIGKILL')
    expect(isAlive(pid)).toBe(true)
    await dockerd[Symbol.asyncDispose]()
    await untilNothingIsLeft(dockerd.dir)
    expect(isAlive(pid)).toBe(false)
  })

  it('is nothing when its dockerd never answered', async () => {
    const dockerd = new TestDockerd()
    await expect(dockerd.start(['--no-such-option'])).rejects.toThrow('dockerd does not start')
    await dockerd[Symbol.asyncDispose]()
    await untilNothingIsLeft(dockerd.dir)
  })

  it('is nothing when a machine could not be made', async () => {
    const error = await TestHost.start({ dockerdArgs: ['--no-such-option'] }).catch(messageOf)
    const dir = /does not start in (\S+):/.exec(String(error))?.[1]
    expect(dir).toContain('/berth-agent-')
    await untilNothingIsLeft(dir ?? 'no directory')
  })
})
