import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { reach } from './reach.ts'

const signal = AbortSignal.timeout(20_000)

it('tells who answers, also by refusing, and who does not', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = { address: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const closed = { address: '127.0.0.2', port: 1 }
  // No connection can be made to a broadcast address, and none leaves the machine.
  const nobody = { address: '255.255.255.255', port: 80 }
  expect(await reach([open, closed, nobody], { signal })).toEqual([open, closed])
  server.close()
})
