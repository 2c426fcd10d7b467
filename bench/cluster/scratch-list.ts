import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { fillStore } from './fill-records.ts'
const directory = mkdtempSync(join(tmpdir(), 'berth-list-'))
mkdirSync(join(directory, 'state/server'), { recursive: true, mode: 0o700 })
await fillStore(join(directory, 'state/server/store.db'), { nodes: 100, apps: 10, replicas: 1000 })
const nodeOptions = process.argv[2] === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.argv[2]}`, '--cpu-prof-interval=500']
{
await using server = await ServerProcess.start({ directory, nodeOptions })
const cpu0 = server.cpuSeconds
const own0 = process.cpuUsage()
const times: number[] = []
for (let n = 0; n < 200; n++) {
  const at = performance.now()
  const { items } = await server.client.list('listInstances', { query: { app: 'app-0001' } })
  if (items.length !== 1000) throw new Error(String(items.length))
  times.push(performance.now() - at)
}
times.sort((a, b) => a - b)
const own = process.cpuUsage(own0)
console.log({ median: times[100], p99: times[198], serverCpuMsPerCall: (server.cpuSeconds - cpu0) * 5, clientCpuMs: (own.user + own.system) / 2e5 })
const body = JSON.stringify(await server.client.list('listInstances', { query: { app: 'app-0001' } }))
console.log('bytes', body.length)
}
rmSync(directory, { recursive: true, force: true })
