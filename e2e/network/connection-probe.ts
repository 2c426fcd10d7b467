/**
 * `connection-probe.ts TARGET@TIMEOUT_MS…` in the network of a container: says as JSON which targets answered within their time. `10.0.0.1:80` is asked by TCP, and what it
 * answers is told; `10.0.0.1` is pinged. Run by the host's own Node.js, so that it needs neither dockerd nor an agent.
 */
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'

/** What each target answered; null: nothing. */
export type ProbeAnswers = Readonly<Record<string, string | null>>

function ask(host: string, port: number, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect({ host, port, timeout: timeoutMs })
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.once('timeout', () => socket.destroy())
    socket.on('error', () => {})
    socket.once('close', () => resolve(text === '' ? null : text))
  })
}

const ping = (host: string, timeoutMs: number): Promise<string | null> =>
  promisify(execFile)('busybox', ['ping', '-c', '1', '-W', String(Math.ceil(timeoutMs / 1000)), host]).then(
    () => 'pong',
    () => null,
  )

if (import.meta.main) {
  const answers = process.argv.slice(2).map(async (argument): Promise<[string, string | null]> => {
    const [target = '', timeoutMs] = argument.split('@')
    const [host = '', port] = target.split(':')
    const answer = port === undefined ? ping(host, Number(timeoutMs)) : ask(host, Number(port), Number(timeoutMs))
    return [target, await answer]
  })
  process.stdout.write(JSON.stringify(Object.fromEntries(await Promise.all(answers)) satisfies ProbeAnswers))
}
