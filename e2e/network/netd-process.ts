/** netd as it runs on a node, in a lab's host: `node netd-process.ts STATE_DIR`, until SIGTERM. */
import { runNetd } from '@berth/agent/dns/netd'
import pino from 'pino'

const abort = new AbortController()
process.once('SIGTERM', () => abort.abort())
await runNetd({ stateDir: process.argv[2] ?? '', log: pino() }, { signal: abort.signal })
