import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Assignment } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestNode } from './testing/test-node.ts'
import { waitUntil } from './testing/wait-until.ts'

/** From the start of an instance to its end: probes, hooks, jobs, stops. */
// Real machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => await node?.[Symbol.asyncDispose]())
afterEach((context) => {
  if (context.task.result?.state === 'fail') process.stderr.write(node.log.slice(-6000))
})

const shell = (script: string): string[] => ['sh', '-c', script]
const status = (assignment: Assignment, what: string, condition: Parameters<TestNode['server']['status']>[2]) =>
  node.server.status(assignment.instance, what, condition)
const probe = { delayMs: 0, intervalMs: 200, timeoutMs: 1_000, successes: 1, failures: 2 }

describe('health', () => {
  it('readiness by http, told in both directions', async () => {
    const assignment = node.assign({
      command: shell('mkdir -p /tmp/www; touch /tmp/www/healthz; exec httpd -f -p 8080 -h /tmp/www'),
      readiness: { check: { type: 'http', port: 8080, path: '/healthz' }, ...probe },
    })
    const { restarts } = await node.server.ready(assignment.instance)
    node.host.docker('exec', assignment.instance, 'rm', '/tmp/www/healthz')
    const sick = await status(assignment, 'not ready', (each) => !each.ready)
    expect(sick.message).toContain(`GET http://${assignment.address}:8080/healthz answered 404`)
    node.host.docker('exec', assignment.instance, 'touch', '/tmp/www/healthz')
    expect(await node.server.ready(assignment.instance)).toMatchObject({ restarts })
  })

  it('a liveness probe that fails restarts the container in its place', async () => {
    const assignment = node.assign({
      liveness: { check: { type: 'exec', command: ['test', '!', '-e', '/tmp/dead'] }, ...probe },
    })
    const before = await node.server.ready(assignment.instance)
    node.host.docker('exec', assignment.instance, 'touch', '/tmp/dead')
    const ended = await status(assignment, 'ended by the probe', (each) => each.messageCode === 'liveness-failed')
    expect(ended.message).toContain('test ! -e /tmp/dead exited with code 1')
    const after = await status(assignment, 'restarted', (each) => each.restarts === 1 && each.startedAt !== undefined)
    expect(after).toMatchObject({ containerId: before.containerId, address: before.address })
    await node.stopInstance(assignment)
  })

  it('one that does not get ready in time says why, and is left to the server', async () => {
    const assignment = node.assign({
      readiness: { check: { type: 'tcp', port: 9999 }, ...probe },
      readyTimeoutMs: 1_000,
    })
    const late = await status(assignment, 'late', (each) => each.messageCode === 'ready-timeout')
    expect(late.message).toContain(
      `is not ready 1 s after its start: TCP ${assignment.address}:9999 refused the connection`,
    )
    expect(late.phase).toBe('running')
    await node.stopInstance(assignment)
  })
})

describe('hooks', () => {
  it('run after the start, before it is ready, and before the stop', async () => {
    const assignment = node.assign({
      afterStart: { command: shell('echo $(hostname) started > /persist/after'), timeoutMs: 5_000 },
      beforeStop: { command: shell('echo stopping > /persist/before'), timeoutMs: 5_000 },
    })
    await node.server.ready(assignment.instance)
    expect(readFileSync(join(node.persistOf(assignment), 'after'), 'utf8')).toBe(`${assignment.hostname} started\n`)
    await node.stopInstance(assignment)
    expect(readFileSync(join(node.endedOf(assignment) ?? 'nothing', 'before'), 'utf8')).toBe('stopping\n')
  })

  it.each([
    ['fails', shell('echo no database >&2; exit 4'), 'exited with code 4: no database'],
    ['hangs', shell('sleep 60'), 'did not end within 0.5 s'],
  ])('a start whose hook %s has failed', async (_, command, text) => {
    const assignment = node.assign({ afterStart: { command, timeoutMs: 500 }, restart: 'never' })
    const failed = await status(assignment, 'failed', (each) => each.phase === 'ended')
    expect(failed).toMatchObject({ messageCode: 'hook-failed', message: expect.stringContaining(text) })
    expect(node.server.history.some((each) => each.id === assignment.instance && each.ready)).toBe(false)
    await node.stopInstance(assignment)
  })
})

describe('jobs', () => {
  const job = { type: 'job' as const, ports: [], restart: 'never' as const, readyTimeoutMs: 0 }

  it.each([
    [0, 'done'],
    [7, 'failed'],
  ])('run to their end with code %i', async (code, text) => {
    const assignment = node.assign({ ...job, command: shell(`echo ${text}; exit ${code}`) })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ restarts: 0, lastExit: { code, outOfMemory: false }, logTail: [text] })
    expect(ended.endedAt).toBe(ended.lastExit?.at)
    // Its log can be read until it is forgotten.
    expect(await node.server.logs(assignment.instance)).toMatchObject([{ stream: 'stdout', line: text }])
    node.server.forget(assignment.instance)
    await waitUntil('it to be forgotten', () => !node.containers().includes(assignment.instance))
  })

  it('are ended after their time', async () => {
    const assignment = node.assign({ ...job, command: shell('sleep 60'), jobTimeoutMs: 1_000, stopGraceMs: 0 })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ messageCode: 'job-timeout', lastExit: { code: 137, outOfMemory: false } })
  })

  it('have failed when they were ended, whatever they say then', async () => {
    const command = shell('trap "exit 0" TERM; sleep 60 & wait')
    const assignment = node.assign({ ...job, command, jobTimeoutMs: 1_000 })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ messageCode: 'job-timeout', lastExit: { code: 143, signal: 'SIGTERM' } })
  })

  it('are run again on failure when they say so', async () => {
    const command = shell('test -e /persist/second && exit 0; touch /persist/second; exit 1')
    const assignment = node.assign({ ...job, command, restart: 'on-failure' })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ restarts: 1, lastExit: { code: 0 } })
  })
})

describe('stopping', () => {
  it('is graceful, removes everything, and is kept until it is forgotten', async () => {
    const secrets = [{ file: 'key', value: 'x' }]
    const config = [{ path: '/etc/app.conf', content: 'a', mode: 0o644 }]
    const assignment = node.assign({ secrets, config })
    await node.server.ready(assignment.instance)
    const ended = await node.stopInstance(assignment)
    expect(ended).toMatchObject({ ready: false, lastExit: { code: 0 }, logTail: expect.arrayContaining(['stopping']) })
    expect(node.containers()).not.toContain(assignment.instance)
    expect(existsSync(join(node.host.runDir, 'secrets', assignment.instance))).toBe(false)
    expect(readdirSync(join(node.host.stateDir, 'agent/config'))).not.toContain(assignment.instance)
    const record = join(node.host.stateDir, 'agent/instances', `${assignment.instance}.json`)
    expect(statSync(record).mode & 0o777).toBe(0o600)
    node.server.forget(assignment.instance)
    await waitUntil('the record to go', () => !existsSync(record))
  })

  it('kills what does not listen, after its grace', async () => {
    const assignment = node.assign({
      command: shell('trap "" TERM; while true; do sleep 1; done'),
      ports: [],
      stopGraceMs: 1_000,
    })
    await node.server.ready(assignment.instance)
    const ended = await node.stopInstance(assignment)
    expect(ended.lastExit).toMatchObject({ code: 137, outOfMemory: false })
  })

  it('does not wait for a pull or a hook under way', async () => {
    const assignment = node.assign({ afterStart: { command: shell('sleep 60'), timeoutMs: 60_000 } })
    await status(assignment, 'running', (each) => each.phase === 'running')
    const startedAt = performance.now()
    await node.stopInstance(assignment)
    expect(performance.now() - startedAt).toBeLessThan(50_000)
  })

  it('a restart that was asked for keeps instance, address and container', async () => {
    const assignment = node.assign()
    const before = await node.server.ready(assignment.instance)
    node.server.change(assignment.instance, { restartNonce: 1 })
    const after = await status(assignment, 'restarted', (each) => each.ready && each.restarts === 1)
    expect(after).toMatchObject({ containerId: before.containerId, address: before.address })
    expect(after.pid).not.toBe(before.pid)
    await node.stopInstance(assignment)
  })
})
