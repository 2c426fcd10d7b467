import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Relay, type RelayOptions, startRelay } from './relay.ts'
import { waitFor } from './wait-for.ts'

/** Says everything again, and knows what it heard and whether its peers hung up. */
class Echo {
  readonly server: Server
  heard = ''
  hungUp = 0

  constructor() {
    this.server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (data) => {
        this.heard += data
        socket.write(data)
      })
      socket.once('close', () => {
        this.hungUp += 1
      })
    })
  }
}

let echo: Echo
let relay: Relay
let clients: Socket[]

beforeEach(async () => {
  clients = []
  echo = new Echo()
  echo.server.listen(0, '127.0.0.1')
  await once(echo.server, 'listening')
})
afterEach(async () => {
  for (const client of clients) client.destroy()
  await relay[Symbol.asyncDispose]()
  await once(echo.server.close(), 'close')
})

const start = async (options: Partial<RelayOptions> = {}): Promise<void> => {
  const { port } = echo.server.address() as AddressInfo
  relay = await startRelay({ to: { address: '127.0.0.1', port }, listen: '127.0.0.1', ...options })
}

async function join() {
  const socket = connect(relay.port, '127.0.0.1').on('error', () => undefined)
  clients.push(socket)
  const client = { socket, heard: '' }
  socket.on('data', (data) => {
    client.heard += data
  })
  await once(socket, 'connect')
  return client
}

const until = (what: string, is: () => boolean): Promise<unknown> => waitFor(is, { what, deadlineMs: 10_000 })

it('carries everything both ways, in order, and the end of each side', async () => {
  await start()
  const client = await join()
  const text = Array.from({ length: 5_000 }, (_, n) => `line ${n}\n`).join('')
  client.socket.write(text)
  await until('the echo', () => client.heard.length === text.length)
  expect(client.heard).toBe(text)
  client.socket.end()
  await until('the end to be told', () => echo.hungUp === 1)
  await until('nothing to be left', () => relay.connections === 0)
})

it('is late in both directions, and no slower for that', async () => {
  await start({ delayMs: 100 })
  const client = await join()
  const at = performance.now()
  for (let n = 0; n < 50; n++) {
    client.socket.write('x'.repeat(1000))
    await delay(1)
  }
  await until('the echo', () => client.heard.length === 50_000)
  const tookMs = performance.now() - at
  expect(tookMs).toBeGreaterThanOrEqual(199)
  expect(tookMs).toBeLessThan(5_000)
  relay.setDelay(0)
  // Of several the fastest: the machine may be busy with others.
  const againMs: number[] = []
  while (againMs.length < 8 && Math.min(...againMs) >= 199) {
    const again = performance.now()
    const heard = client.heard.length
    client.socket.write('y')
    await until('the echo', () => client.heard.length > heard)
    againMs.push(performance.now() - again)
  }
  expect(Math.min(...againMs)).toBeLessThan(199)
})

it('that is cut in one direction holds back that one alone, and brings all of it when it is mended', async () => {
  await start()
  const client = await join()
  relay.block('from')
  client.socket.write('a')
  await until('it to arrive', () => echo.heard === 'a')
  relay.block('to')
  await until('what was held back', () => client.heard === 'a')
  client.socket.write('b')
  await delay(50)
  expect(echo.heard).toBe('a')
  relay.block('none')
  await until('the rest', () => client.heard === 'ab')
})

it('that is half-open tells nobody that the other has hung up, until it is mended', async () => {
  await start()
  const first = await join()
  first.socket.write('a')
  await until('the echo', () => first.heard === 'a')
  relay.block('both')
  first.socket.destroy()
  await delay(50)
  expect(echo.hungUp).toBe(0)
  const second = await join()
  second.socket.write('b')
  await delay(50)
  expect(echo.heard).toBe('a')
  relay.block('none')
  await until('both to be told', () => echo.hungUp === 1 && second.heard === 'b')
})

it('ends all connections when told to, and lets new ones through', async () => {
  await start()
  const first = await join()
  first.socket.write('a')
  await until('the echo', () => first.heard === 'a')
  relay.cutAll()
  await until('both sides to know', () => first.socket.destroyed && echo.hungUp === 1)
  const second = await join()
  second.socket.write('b')
  await until('the echo', () => second.heard === 'b')
})

it('cuts the first connections after so many bytes', async () => {
  await start({ cutAfterBytes: 10, cuts: 1 })
  const first = await join()
  first.socket.write('x'.repeat(11))
  await until('the cut', () => first.socket.destroyed)
  expect(relay.cut).toBe(1)
  const second = await join()
  second.socket.write('y'.repeat(11))
  await until('the echo', () => second.heard.length === 11)
})
