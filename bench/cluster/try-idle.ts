/** `node bench/cluster/try-idle.ts --nodes 1000 --apps 100 --replicas 1000 [--snapshot DIR]`: what idle instances cost the server in memory. */
import { mkdirSync, readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { measureIdle } from './idle-memory.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    apps: { type: 'string', default: '100' },
    replicas: { type: 'string', default: '1000' },
    /** Where a heap snapshot of the full server goes. */
    snapshot: { type: 'string' },
  },
})
const { snapshot } = values
const abort = new AbortController()
process.once('SIGINT', () => abort.abort())

async function takeSnapshot({ pid }: ServerProcess, directory: string): Promise<void> {
  process.kill(pid, 'SIGUSR2')
  const deadline = performance.now() + 300_000
  const isThere = (): boolean => readdirSync(directory).some((name) => name.endsWith('.heapsnapshot'))
  while (!isThere() && performance.now() < deadline) await delay(1000, undefined, { signal: abort.signal })
}

if (snapshot !== undefined) mkdirSync(snapshot, { recursive: true })
const run = await measureIdle({
  nodes: Number(values.nodes),
  apps: Number(values.apps),
  replicas: Number(values.replicas),
  signal: abort.signal,
  log: (message) => console.error(`  ${message}`),
  ...(snapshot === undefined
    ? {}
    : {
        serverOptions: ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${snapshot}`],
        look: (server: ServerProcess) => takeSnapshot(server, snapshot),
      }),
})
console.log(run)
console.log('RSS bytes an instance:', (run.with.rssBytes - run.without.rssBytes) / run.count)
