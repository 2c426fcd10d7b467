import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AdviceView, InstanceView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { until } from './support/load.ts'

/** What entrypoints of known load are advised: one that idles, one that is held back by its limit, one whose memory is too small. */
let cluster: Cluster
const mebibyte = 2 ** 20

const others = `
  busy:
    command: node -e "globalThis.held = Buffer.alloc(100 << 20, 1); for (;;) {}"
    cpu: 0.2
    memory: 256Mi
  hog:
    command: node -e "setTimeout(() => { globalThis.held = Buffer.alloc(200 << 20, 1) }, 8000)"
    cpu: 0.1
    memory: 96Mi
  idle:
    command: node -e "setInterval(() => {}, 1000)"
    cpu: 0.5
    memory: 512Mi
    replicas: 2`

beforeAll(async () => {
  cluster = await Cluster.start()
  const files = webApp({ replicas: 1, entrypointExtra: others })
  const repository = await cluster.repository('shop', files)
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

const advice = async (args: readonly string[] = ['shop', '--least', '20s']): Promise<Map<string, AdviceView>> => {
  const items = (await cluster.mustBerth(['advise', ...args, '-o', 'json'])).json<AdviceView[]>()
  return new Map(items.map((each) => [each.entrypoint, each]))
}

/** Over the life of its only instance, by the kernel's own count. */
async function meanCpuMilli(entrypoint: string): Promise<number> {
  const [only] = (await cluster.client.list('listInstances', { query: { app: 'shop', entrypoint } })).items
  const { stdout: pid } = await cluster.first.exec(['docker', 'inspect', '-f', '{{.State.Pid}}', only?.id ?? ''])
  const { stdout } = await cluster.first.exec(['cat', `/proc/${pid.trim()}/stat`])
  const [, , , , , , , , , , , userTicks = '', systemTicks = ''] = stdout.slice(stdout.lastIndexOf(')')).split(' ')
  const seconds = (Date.now() - (only?.startedAt ?? 0)) / 1000
  return ((Number(userTicks) + Number(systemTicks)) * 10) / seconds
}

describe('advice', () => {
  it('after too short an observation is to wait', async () => {
    const said = await cluster.mustBerth(['advise', 'shop/idle'])
    expect(said.stdout).toMatch(/shop\/idle .*wait (59m|60m|1h|[0-9]+s)/)
    expect((await cluster.berth(['advise', 'shop/nothing'])).stderr).toContain('no entrypoint nothing')
    expect((await cluster.berth(['advise', 'nowhere'])).stderr).toContain('no app nowhere')
    expect(await cluster.berth(['advise', '--least', '5'])).toMatchObject({ code: 2 })
  })

  it('is what was really used, and more where a limit was met', async () => {
    const all = await until(
      'all to be observed',
      async () => {
        const found = await advice()
        const isSeen = ['idle', 'busy', 'hog'].every((name) => found.get(name)?.kind === 'change')
        return isSeen && (found.get('hog')?.used?.outOfMemory ?? 0) > 0 && found
      },
      150_000,
    )
    const [idle, busy, hog] = [all.get('idle'), all.get('busy'), all.get('hog')]
    expect(idle?.used?.cpuP95Milli).toBeLessThan(100)
    expect(idle?.advised?.cpuMilli).toBeLessThanOrEqual(150)
    expect(idle?.advised?.memoryBytes).toBeGreaterThanOrEqual((idle?.used?.memoryMaxBytes ?? 0) * 1.2)
    expect(idle?.advised?.memoryBytes).toBeLessThan(256 * mebibyte)
    expect(idle).toMatchObject({
      confidence: 'low',
      instances: 2,
      command: expect.stringContaining('berth resize shop/idle --cpu'),
    })
    expect(idle?.frees?.cpuMilli).toBe(1000 - 2 * (idle?.advised?.cpuMilli ?? 0))
    // It burns as much as it may, 0.2 of a core, or as much as the machine leaves it: what the kernel says it used.
    const mean = await meanCpuMilli('busy')
    expect(busy?.used?.cpuP95Milli).toBeGreaterThan(mean * 0.9)
    expect(busy?.used?.cpuMaxMilli).toBeLessThan(300)
    expect(busy?.used?.cpuP95Milli).toBeGreaterThan(3 * (idle?.used?.cpuP95Milli ?? 0))
    const isHeldBack = (busy?.used?.throttledMilli ?? 0) > 50
    expect(busy?.advised?.cpuMilli).toBeGreaterThanOrEqual(isHeldBack ? 250 : mean * 1.1)
    expect(busy?.used?.memoryMaxBytes).toBeGreaterThan(100 * mebibyte)
    expect(busy?.advised?.memoryBytes).toBeGreaterThanOrEqual(120 * mebibyte)
    expect(hog?.advised?.memoryBytes).toBeGreaterThanOrEqual(144 * mebibyte)
    expect(hog?.reasons.join()).toContain('out of memory')
    const shown = await cluster.mustBerth(['advise', 'shop', '--least', '20s', '-o', 'wide'])
    expect(shown.stdout).toContain('berth resize shop/busy')
    if (isHeldBack) expect(shown.stdout).toContain('held back by its CPU limit in')
  })

  it('survives a restart of the agent and of the server, and can be followed', async () => {
    const before = (await advice()).get('idle')?.used?.samples ?? 0
    expect(before).toBeGreaterThan(10)
    process.kill(await cluster.pidOf('agent'), 'SIGTERM')
    process.kill(await cluster.pidOf('server'), 'SIGKILL')
    const again = await until(
      'the agent to say it',
      async () => {
        const found = await cluster.berth(['advise', 'shop/idle', '--least', '20s', '-o', 'json'])
        const [idle] = found.code === 0 ? found.json<AdviceView[]>() : []
        return (idle?.used?.samples ?? 0) > before && idle
      },
      90_000,
    )
    await cluster.mustBerth((again.command ?? '').split(' ').slice(1))
    const instances = (await cluster.client.list('listInstances', { query: { app: 'shop', entrypoint: 'idle' } })).items
    const sizes = (each: InstanceView) => ({ cpuMilli: each.cpuMilli, memoryBytes: each.memoryBytes })
    expect(instances.map(sizes)).toEqual([again.advised, again.advised])
    expect(instances.every((each) => each.restarts === 0 && each.ready)).toBe(true)
    expect((await advice()).get('idle')?.kind).toBe('keep')
  })
})
