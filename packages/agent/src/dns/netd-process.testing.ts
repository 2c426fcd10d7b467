/** netd in a process of its own: `node netd-process.testing.ts STATE_DIR ADDRESS PORT RESOLV_CONF`; says `ready` once it serves. */
import { once } from 'node:events'
import pino from 'pino'
import { startNetd } from './netd.ts'

const [stateDir = '', address = '', port = '0', resolvConfPath = '/dev/null'] = process.argv.slice(2)
const log = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }))
const abort = new AbortController()
process.on('SIGTERM', () => abort.abort())
{
  await using _ = await startNetd(
    { stateDir, log, listenAddresses: [address], port: Number(port), resolvConfPath },
    { signal: abort.signal },
  )
  process.stdout.write('ready\n')
  await once(abort.signal, 'abort')
}
