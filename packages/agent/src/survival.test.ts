import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { InstanceStatus } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestNode, testAssignment } from './testing/test-node.ts'
import { waitUntil } from './testing/wait-until.ts'

/** What an agent, its Docker and its machine go through while instances are to keep running. */
// Real machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
let node: TestNode
let next = 0

const nextAssignment = (change: Parameters<typeof testAssignment>[1] = {}) => {
  next += 1
  return testAssignment(next, change)
}

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => await node?.[Symbol.asyncDispose]())
afterEach((context) => {
  if (context.task.result?.state === 'fail') process.stderr.write(node.log.slice(-6000))
})

async function run(change: Parameters<typeof testAssignment>[1] = {}) {
  const assignment = nextAssignment(change)
  node.server.assign(assignment)
  const status = await node.server.ready(assignment.instance)
  return { id: assignment.instance, address: `${assignment.address}:8080`, status, pid: status.pid ?? 0 }
}

/** Statuses of the instance since a mark. */
const reportsSince = (mark: number, id: string) => node.server.history.slice(mark).filter((status) => status.id === id)

describe('the agent', () => {
  it('adopts what runs after a kill -9 and touches nothing', async () => {
    const web = await run()
    const mark = node.server.history.length
    await node.killAgent('SIGKILL')
    expect(node.host.get(web.address)).toBe(`web-${next}\n`)
    await node.startAgent()
    const status = await node.server.ready(web.id)
    // The time of its readiness is told before it is on disk.
    expect({ ...status, readyAt: 0 }).toEqual({ ...web.status, readyAt: 0 })
    expect(node.host.pidOf(web.id)).toBe(web.pid)
    // Not even for a moment out of traffic.
    expect(reportsSince(mark, web.id).every((report) => report.ready)).toBe(true)
  })

  it('does what it was told although it died in the middle of it', async () => {
    const assignments = Array.from({ length: 6 }, () => nextAssignment())
    for (const assignment of assignments) node.server.assign(assignment)
    await waitUntil('the first container', () => node.host.docker('ps', '-aq').split('\n').length > 2)
    await node.killAgent('SIGKILL')
    await node.startAgent()
    for (const { instance } of assignments) await node.server.ready(instance)
    for (const { instance } of assignments) node.server.change(instance, { desired: 'stop' })
    await waitUntil('some to stop', () =>
      assignments.some(({ instance }) => node.server.statuses.get(instance)?.phase === 'ended'),
    )
    await node.killAgent('SIGKILL')
    await node.startAgent()
    for (const { instance } of assignments) {
      await node.server.status(instance, 'ended', (status) => status.phase === 'ended')
    }
    const left = node.host.docker('ps', '-a', '--format', '{{.Names}}').split('\n')
    for (const { instance } of assignments) expect(left).not.toContain(instance)
  })

  it('keeps everything going without a server, and restarts what crashes', async () => {
    const web = await run()
    await node.server.close()
    await node.killAgent('SIGKILL')
    const agent = node.startAgent()
    node.host.docker('kill', web.id)
    await waitUntil('the agent to start it again', () => node.host.pidOf(web.id) > 0 && node.host.get(web.address))
    expect(node.host.pidOf(web.id)).not.toBe(web.pid)
    await node.server.reopen()
    await agent
    const status = await node.server.status(web.id, 'restarted', (each) => each.ready && each.restarts === 1)
    expect(status.lastExit).toMatchObject({ code: 137, outOfMemory: false })
  })

  it('comes back by itself after a reboot: same address, secrets in place, before any server answers', async () => {
    const web = await run({ secrets: [{ file: 'password', value: 'tide-and-time' }], user: 'app' })
    await node.server.close()
    await node.reboot()
    const agent = node.startAgent()
    await waitUntil('it to serve again', () => node.host.get(web.address))
    expect(node.host.docker('exec', web.id, 'cat', '/run/secrets/password')).toBe('tide-and-time')
    await node.server.reopen()
    await agent
    const status = await node.server.ready(web.id)
    expect(status).toMatchObject({ address: web.status.address, containerId: web.status.containerId })
  })

  it('leaves containers alone when dockerd is killed, and goes on with it when it is back', async () => {
    const web = await run()
    const mark = node.server.history.length
    await node.host.killDockerd('SIGKILL')
    await waitUntil('the problem to be told', () => node.server.node?.problems.some((each) => each.includes('Docker')))
    expect(node.host.get(web.address)).toBeDefined()
    await node.host.startDockerd()
    await waitUntil('the problem to be gone', () => node.server.node?.problems.length === 0)
    const other = await run()
    expect(node.host.pidOf(web.id)).toBe(web.pid)
    expect(other.status.ready).toBe(true)
    expect(reportsSince(mark, web.id).every((report) => report.ready && report.restarts === 0)).toBe(true)
  })

  it('is not hung up by a dockerd that hangs', async () => {
    const web = await run({ liveness: { check: { type: 'tcp', port: 8080 }, ...quickProbe } })
    node.host.signalDockerd('SIGSTOP')
    try {
      const late = nextAssignment()
      node.server.assign(late)
      const sentAt = Date.now()
      node.server.send({ type: 'ping', at: sentAt })
      await waitUntil('an answer', () =>
        node.server.received.some((line) => line.type === 'pong' && line.at === sentAt),
      )
      const { body } = await node.server.request('GET', '/v1/metrics/instances')
      expect(body).toHaveProperty('items')
      expect(node.server.statuses.get(web.id)).toMatchObject({ ready: true, restarts: 0 })
    } finally {
      node.host.signalDockerd('SIGCONT')
    }
    await node.server.ready(`shop.production.web-${next}`)
    expect(node.host.pidOf(web.id)).toBe(web.pid)
  })

  it.each([
    ['a record', 'instances'],
    ['the state of the node', '.'],
  ])('rebuilds %s that is corrupt from its containers', async (_, directory) => {
    const web = await run({ secrets: [{ file: 'password', value: 'still-here' }] })
    await node.server.close()
    await node.killAgent('SIGKILL')
    const folder = join(node.host.stateDir, 'agent', directory)
    for (const file of readdirSync(folder).filter((each) => each.endsWith('.json') && each !== 'node.json')) {
      const path = join(folder, file)
      writeFileSync(path, readFileSync(path, 'utf8').replace('shop', 'shoo'))
      if (directory === '.') writeFileSync(path, '{"format":1')
    }
    const agent = node.startAgent()
    node.host.docker('kill', web.id)
    await waitUntil('it to be started again', () => node.host.pidOf(web.id) > 0 && node.host.get(web.address))
    await node.server.reopen()
    await agent
    // The server's nonce is not news to a record that was lost.
    node.server.change(web.id, { restartNonce: 0 })
    const status = await node.server.ready(web.id)
    expect(status.containerId).toBe(web.status.containerId)
    expect(node.host.docker('exec', web.id, 'cat', '/run/secrets/password')).toBe('still-here')
    node.server.change(web.id, { desired: 'stop' })
    await node.server.status(web.id, 'ended', (each) => each.phase === 'ended')
  })

  it('never stops what no assignment knows, and reports it', async () => {
    const web = await run()
    await node.killAgent('SIGKILL')
    const agentDir = join(node.host.stateDir, 'agent')
    writeFileSync(join(agentDir, 'seal.key'), Buffer.alloc(32, 7))
    for (const file of readdirSync(join(agentDir, 'instances')))
      writeFileSync(join(agentDir, 'instances', file), 'torn')
    const assignment = node.server.assignments.get(web.id)
    node.server.assignments.clear()
    node.server.statuses.clear()
    await node.startAgent()
    await node.server.status(
      web.id,
      'a stray',
      (each) => each.messageCode === 'assignment-unknown' && each.phase === 'running',
    )
    expect(node.host.pidOf(web.id)).toBe(web.pid)
    if (assignment !== undefined) node.server.assign(assignment)
    const status = await node.server.ready(web.id)
    expect(status.pid).toBe(web.pid)
  })

  it('obeys no tombstone of a foreign store until a person says so', async () => {
    const web = await run()
    node.server.epoch = 'epoch-2'
    node.server.assignments.set(web.id, { ...testAssignment(next), desired: 'stop' })
    const hellos = node.server.hellos
    node.server.cut()
    await node.server.linked(hellos + 1)
    expect(node.server.node?.problems.join()).toContain('epoch-2')
    const other = await run()
    node.server.forget(web.id)
    expect(node.host.pidOf(web.id)).toBe(web.pid)
    expect(other.status.ready).toBe(true)
    node.server.assignments.set(web.id, { ...testAssignment(next - 1), desired: 'stop' })
    const acceptance = join(node.host.stateDir, 'agent/accept-epoch')
    expect(node.server.node?.problems.join()).toContain(`echo epoch-2 > ${acceptance}`)
    writeFileSync(acceptance, 'epoch-2\n')
    await node.server.status(web.id, 'ended', (status) => status.phase === 'ended')
    await waitUntil('the problem to be gone', () => node.server.node?.problems.length === 0)
    expect(existsSync(acceptance)).toBe(false)
  })

  it.each([
    ['at once', false],
    ['after it was down, and the word to forget the first one was lost', true],
  ])('starts an instance that has the id of one that ended: %s', async (_, isDown) => {
    const first = nextAssignment({ createdAt: 1_000, command: ['sh', '-c', 'sleep 1000'], ports: [] })
    node.server.assign(first)
    const before = await node.server.ready(first.instance)
    node.server.change(first.instance, { desired: 'stop' })
    await node.server.status(first.instance, 'ended', (status) => status.phase === 'ended')
    if (isDown) await node.killAgent()
    const second = { ...testAssignment(next), createdAt: 2_000 }
    node.server.assign(second)
    if (isDown) await node.startAgent()
    const isSecond = (status: InstanceStatus): boolean => status.createdAt === 2_000 && status.ready
    const after = await node.server.status(second.instance, 'ready', isSecond)
    expect(after.containerId).not.toBe(before.containerId)
    expect(node.host.get(`${second.address}:8080`)).toBe(`web-${next}\n`)
  })

  it('ends what runs under an id that was given to another', async () => {
    const web = await run({ createdAt: 1_000 })
    await node.killAgent('SIGKILL')
    node.server.assignments.set(web.id, { ...testAssignment(next), createdAt: 2_000, env: { COLOR: 'green' } })
    await node.startAgent()
    await node.server.status(web.id, 'another', (status) => status.createdAt === 2_000 && status.ready)
    expect(node.host.pidOf(web.id)).not.toBe(web.pid)
    expect(node.host.docker('inspect', '--format', '{{.Config.Env}}', web.id)).toContain('COLOR=green')
  })

  it('refuses to run twice on one state directory', async () => {
    await expect(node.startAgent()).rejects.toThrow('agent.already-running')
  })
})

const quickProbe = { delayMs: 0, intervalMs: 200, timeoutMs: 500, successes: 1, failures: 2 }
