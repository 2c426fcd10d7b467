/** `node bench/cluster/try.ts --nodes 1000 --apps 10 --replicas 1000 [--profile DIR] [--keep DIR]`: one run, for those who mend the server. */
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runCluster } from './run-cluster.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    apps: { type: 'string', default: '10' },
    replicas: { type: 'string', default: '1000' },
    profile: { type: 'string' },
    heap: { type: 'boolean', default: false },
    keep: { type: 'string' },
    timeout: { type: 'string', default: '600' },
  },
})
const { profile, keep } = values
const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, '--cpu-prof-interval=500']
if (values.heap) profiling.push('--heap-prof', ...(profile === undefined ? [] : [`--heap-prof-dir=${profile}`]))
if (profile !== undefined) mkdirSync(profile, { recursive: true })
const abort = new AbortController()
process.once('SIGINT', () => abort.abort())
const run = await runCluster({
  nodes: Number(values.nodes),
  apps: Number(values.apps),
  replicas: Number(values.replicas),
  timeoutMs: Number(values.timeout) * 1000,
  signal: abort.signal,
  log: (message) => console.error(`  ${message}`),
  serverOptions: profiling,
  ...(keep === undefined ? {} : { preparedIn: keep }),
})
console.log(run)
