/** `node bench/cluster/try.ts --nodes 1000 --apps 10 --replicas 1000 [--store etcd] [--profile DIR] [--keep DIR] [--settle]`: one run, for those who mend the server. */
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { settledMemory } from './idle-memory.ts'
import { runCluster } from './run-cluster.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    apps: { type: 'string', default: '10' },
    replicas: { type: 'string', default: '1000' },
    profile: { type: 'string' },
    /** One more option of Node, for the server. */
    node: { type: 'string', multiple: true, default: [] },
    heap: { type: 'boolean', default: false },
    keep: { type: 'string' },
    store: { type: 'string', default: 'sqlite' },
    /** Waits until the server's memory becomes no less. */
    settle: { type: 'boolean', default: false },
    timeout: { type: 'string', default: '600' },
  },
})
const { profile, keep, store } = values
if (store !== 'sqlite' && store !== 'etcd') throw new Error(`--store is sqlite or etcd, not ${store}`)
const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, '--cpu-prof-interval=500']
if (values.heap) profiling.push('--heap-prof', ...(profile === undefined ? [] : [`--heap-prof-dir=${profile}`]))
if (profile !== undefined) mkdirSync(profile, { recursive: true })
const abort = new AbortController()
process.once('SIGINT', () => abort.abort())
const log = (message: string): void => console.error(`  ${message}`)
const { signal } = abort
const options = {
  store,
  nodes: Number(values.nodes),
  apps: Number(values.apps),
  replicas: Number(values.replicas),
  timeoutMs: Number(values.timeout) * 1000,
  ...{ signal, log },
  serverOptions: [...values.node, ...profiling],
  ...(keep === undefined ? {} : { preparedIn: keep }),
} as const
const run = await runCluster(options, async ({ server }) => {
  if (values.settle) console.log('at rest:', await settledMemory(server, { signal, log }))
})
console.log(run)
