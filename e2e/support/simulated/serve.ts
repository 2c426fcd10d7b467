/** A server in a process of its own: `node serve.ts CONFIG`, with the parts of `ServerConfig` that are data as JSON. */
import { pino } from 'pino'
import { runServer } from '../../../packages/server/src/main.ts'

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const config = JSON.parse(process.argv[2] ?? '{}') as { readonly stateDir: string; readonly runDir: string }
await runServer(
  { version: '0.1.0', log: pino({ level: process.env.BERTH_LOG_LEVEL ?? 'warn' }, process.stderr), ...config },
  { signal: stop.signal, onReady: (edge) => console.log(JSON.stringify(edge)) },
)
