/** `agent-entry.ts CONFIG`: an agent as a process of its own, configured by a JSON document. */
import { pino } from 'pino'
import { runAgent } from '../main.ts'

const config = JSON.parse(process.argv[2] ?? '{}')
const ending = new AbortController()
process.once('SIGTERM', () => ending.abort())
await runAgent({ ...config, log: pino({ level: 'debug' }) }, { signal: ending.signal })
