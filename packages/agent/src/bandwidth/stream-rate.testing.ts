import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestNamespace } from '../policy/test-namespace.testing.ts'

const receiver = `
const server = require('node:net').createServer((socket) => {
  let bytes = 0, begun
  socket.on('data', (chunk) => { begun ??= performance.now(); bytes += chunk.length })
  socket.on('end', () => { console.log(bytes * 8000 / (performance.now() - begun)); server.close() })
})
server.listen(5000, () => console.log('listens'))`

const sender = (address: string, ms: number): string => `
const socket = require('node:net').connect(5000, '${address}', () => {
  const until = performance.now() + ${ms}
  const send = () => { while (performance.now() < until) if (!socket.write(Buffer.alloc(20000))) return socket.once('drain', send); socket.end() }
  send()
})`

/** Bits per second of one TCP stream from one namespace to another's address. */
export async function streamRate(
  from: TestNamespace,
  to: TestNamespace,
  address: string,
  lastsMs = 1_200,
): Promise<number> {
  const signal = AbortSignal.timeout(30_000)
  const start = (where: TestNamespace, script: string): ChildProcess => {
    const [file, args] = where.inside(process.execPath, '-e', script)
    return spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], signal, killSignal: 'SIGKILL' })
  }
  const there = start(to, receiver)
  const lines: string[] = []
  there.stdout?.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  const ended = once(there, 'close', { signal })
  await once(there.stdout as NonNullable<ChildProcess['stdout']>, 'data', { signal })
  const here = start(from, sender(address, lastsMs))
  await once(here, 'close', { signal })
  await ended
  return Number(lines.join('').split('\n')[1])
}
