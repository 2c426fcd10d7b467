import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLab } from './create-lab.ts'
import type { Lab, LabHost } from './lab.ts'
import { saveLogs } from './save-logs.ts'
import { waitFor } from './wait-for.ts'

let lab: Lab
let h1: LabHost
let h2: LabHost

beforeAll(async () => {
  lab = await createLab({ hosts: [{ startDockerd: false }, { startDockerd: false, ownClock: true }] })
  h1 = lab.host('h1')
  h2 = lab.host('h2')
})
afterAll(() => lab?.[Symbol.asyncDispose]())

/** What a Node.js program in the host printed. */
const nodeInside = async (host: LabHost, code: string): Promise<string> =>
  (await host.exec([process.execPath, '--input-type=module', '--eval', code])).stdout.trim()

const fetchInside = (host: LabHost, url: string): Promise<string> =>
  nodeInside(
    host,
    `await fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(2000) })
       .then((reply) => reply.text(), (error) => error.cause?.code ?? error.name)
       .then((text) => { console.log(text); process.exit() })`,
  )

/** Of so many packets of UDP those that came back within a second. */
const echoed = async (host: LabHost, address: string, count: number): Promise<number> =>
  Number(
    await nodeInside(
      host,
      `import { createSocket } from 'node:dgram'
       const socket = createSocket('udp4')
       let back = 0
       socket.on('message', () => { back += 1 })
       for (let n = 0; n < ${count}; n++) socket.send('x', 8084, ${JSON.stringify(address)})
       setTimeout(() => { console.log(back); process.exit() }, 1000)`,
    ),
  )

test('a link loses packets, is cut one way towards one port, and is well again', async () => {
  const say = `require('node:http').createServer((q, r) => r.end(String(q.socket.localPort)))`
  const web = await h2.spawn([process.execPath, '--eval', `for (const port of [8082, 8083]) ${say}.listen(port)`])
  const answers = (port: number) => fetchInside(h1, `http://${h2.address}:${port}/`)
  const isUp = async () => (await answers(8082)) === '8082' && (await answers(8083)) === '8083'
  await waitFor(isUp, { what: 'h2 to answer', deadlineMs: 10_000 })
  await h1.setLinkFaults({ cuts: [{ way: 'out', address: h2.address, port: 8082 }] })
  expect(await answers(8082)).toBe('TimeoutError')
  expect(await answers(8083)).toBe('8083')
  await h2.setLinkFaults({ lossIn: 100 })
  expect(await answers(8083)).not.toBe('8083')
  await h1.setLinkFaults({})
  await h2.setLinkFaults({ lossIn: 10, lossOut: 10 })
  // TCP gets through, later.
  await waitFor(async () => (await answers(8082)) === '8082', { what: 'h2 to answer', deadlineMs: 20_000 })
  const echo = `const s = require('node:dgram').createSocket('udp4'); s.on('message', (m, from) => s.send(m, from.port, from.address)); s.bind(8084)`
  const echoing = await h2.spawn([process.execPath, '--eval', echo])
  await waitFor(async () => (await echoed(h1, h2.address, 20)) > 0, { what: 'an echo', deadlineMs: 10_000 })
  // Of each hundred eighty-one are expected: ten are lost on either way.
  const back = await echoed(h1, h2.address, 300)
  expect(back).toBeGreaterThan(150)
  expect(back).toBeLessThan(300)
  echoing.kill('SIGKILL')
  await h2.setLinkFaults({})
  await waitFor(isUp, { what: 'h2 to answer again', deadlineMs: 20_000 })
  web.kill('SIGKILL')
})

test('programs of a host with a clock of its own see that one, also those that run already', async () => {
  const print = 'setInterval(() => console.log(Date.now(), Math.round(performance.now())), 50)'
  const running = await h2.spawn([process.execPath, '--eval', print])
  const last = () => readFileSync(running.logFile, 'utf8').trim().split('\n').at(-1)?.split(' ').map(Number) ?? []
  const aheadMs = () => (last()[0] ?? 0) - Date.now()
  await waitFor(() => Math.abs(aheadMs()) < 2_000, { what: 'its clock', deadlineMs: 10_000 })
  const hours = 5 * 3_600_000
  await h2.setClock(hours)
  await waitFor(() => Math.abs(aheadMs() - hours) < 5_000, { what: 'its clock to be ahead', deadlineMs: 20_000 })
  expect(last()[1]).toBeLessThan(120_000)
  await h2.setClock(-hours)
  await waitFor(() => Math.abs(aheadMs() + hours) < 5_000, { what: 'its clock to be behind', deadlineMs: 20_000 })
  running.kill('SIGKILL')
  const [file = '', ...args] = h2.enterArgv(['date', '+%s'])
  const typed = Number((await promisify(execFile)(file, args)).stdout) * 1000
  expect(Math.abs(typed - Date.now() + hours)).toBeLessThan(10_000)
  await expect(h1.setClock(1_000)).rejects.toThrow('h1')
})

test('logs are copied before they go with the lab', async () => {
  const kept = await mkdtemp(join(tmpdir(), 'berth-logs-'))
  await h1.exec(['sh', '-c', 'mkdir -p /var/lib/berth/logs && echo said >/var/lib/berth/logs/agent.log'])
  await saveLogs(lab, kept)
  expect(readFileSync(join(kept, 'h1/berth/agent.log'), 'utf8')).toBe('said\n')
  expect(existsSync(join(kept, 'h1/boot.log'))).toBe(true)
  await rm(kept, { recursive: true })
})

test('a part that does not run cannot be paused, and says where', async () => {
  await expect(h1.pause('agent')).rejects.toThrow('agent of host h1')
})
