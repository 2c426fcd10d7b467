/** netd as it runs on a node, in a lab's host: `node netd-process.ts STATE_DIR [RUN_DIR]`, until SIGTERM. With a RUN_DIR it serves Docker's plugin as well. */
import { runNetd } from '@berth/agent/dns/netd'
import pino from 'pino'

const abort = new AbortController()
process.once('SIGTERM', () => abort.abort())
const [stateDir = '', runDir] = process.argv.slice(2)
const plugin = runDir === undefined ? {} : { plugin: { runDir } }
await runNetd({ stateDir, log: pino(), ...plugin }, { signal: abort.signal })
