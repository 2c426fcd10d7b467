import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { hostname, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { surveyHere } from './survey-here.ts'
import { surveyScript } from './survey-script.ts'

let dir: string
let server: Server
let port: number
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'berth-survey-'))
  server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as { port: number }).port
})
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true })
})

const questions = () => ({ stateDir: dir, program: join(dir, 'berth'), dockerSocket: join(dir, 'docker.sock') })
const signal = AbortSignal.timeout(60_000)

it('tells of this very machine what Node knows of it', async () => {
  const facts = await surveyHere({ ...questions(), server: { host: '127.0.0.1', apiPort: port, agentPort: 1 } }, signal)
  expect(facts).toMatchObject({
    system: 'Linux',
    hostname: hostname(),
    isRoot: process.getuid?.() === 0,
    isServer: false,
  })
  expect(Math.abs((facts.memoryBytes ?? 0) - totalmem())).toBeLessThan(64 * 1024 ** 2)
  expect(Math.abs((facts.nowMs ?? 0) - Date.now())).toBeLessThan(10_000)
  expect(facts.stateFreeBytes).toBeGreaterThan(1024 ** 2)
  expect(facts.listening.has(port)).toBe(true)
  expect(facts.programs.has('git')).toBe(true)
  expect(facts.cgroup).toBe(existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'v2' : 'v1')
  expect(facts).toMatchObject({ reachesApi: 'yes', reachesAgentPort: 'refused', dockerSocket: false })
  expect(facts.identity).toBeUndefined()
  expect(facts.programSha256).toBeUndefined()
})

it('tells what is installed, and whose node it is', async () => {
  mkdirSync(join(dir, 'agent'))
  writeFileSync(join(dir, 'agent/node.json'), JSON.stringify({ name: 'n', cluster: 'c', servers: [] }, null, 2))
  writeFileSync(join(dir, 'host.json'), JSON.stringify({ node: 'n', server: { listen: 'x' } }, null, 2))
  writeFileSync(join(dir, 'berth'), '#!/bin/sh\necho 0.1.7\n', { mode: 0o755 })
  const facts = await surveyHere(questions(), signal)
  expect(facts).toMatchObject({
    identity: { name: 'n', cluster: 'c', servers: [] },
    isServer: true,
    programVersion: '0.1.7',
  })
  expect(facts.programSha256).toMatch(/^[0-9a-f]{64}$/)
})

it('is a script that a shell of POSIX takes, whatever stands in its arguments', () => {
  const { status, stderr } = spawnSync('sh', ['-n'], { input: surveyScript, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  const odd = [`${dir}/a b;touch ${dir}/gone`, '$(false)', "it's", '-n', '', '']
  const said = spawnSync('sh', ['-s', '--', ...odd], { input: surveyScript, encoding: 'utf8' })
  expect(said.stdout).toMatch(/\nend=yes\n$/)
  expect(existsSync(join(dir, 'gone'))).toBe(false)
}, 60_000)
