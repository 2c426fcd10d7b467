import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below the ports that the kernel gives to whoever asks for any, or dials somebody: what is free stays so for a while. */
const lowest = 11_000
const highest = 32_000
const given = new Set<number>()

/** For programs that are told where to listen: free for TCP and for UDP, and never given twice by this process. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const port = randomInt(lowest, highest)
    if (given.has(port) || !(await isFree(port, address))) continue
    given.add(port)
    return port
  }
  throw new Error(`no free port at ${address}`)
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

async function isFree(port: number, address: string): Promise<boolean> {
  const server = createServer()
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  try {
    server.listen(port, address)
    await once(server, 'listening')
    socket.bind(port, address)
    await once(socket, 'listening')
    return true
  } catch {
    return false
  } finally {
    await Promise.all([new Promise((done) => server.close(done)), new Promise<void>((done) => socket.close(done))])
  }
}
