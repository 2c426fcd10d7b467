import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { Agent, createServer as createHttpServer, request } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { sampleMember, sampleRoute, sampleTable, sampleTarget } from '@berth/core/network/route-table.testing'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../network/run-command.ts'
import { eventually, openGateway, readText, type TestGateway } from './gateway.testing.ts'
import { findNginx } from './nginx-install.ts'
import { gatewayPaths } from './nginx-options.ts'

/** More than share one pool. */
const many = 70
/** What a part of the pool keeps. */
const partSize = 32

interface Members extends AsyncDisposable {
  readonly port: number
  readonly addresses: readonly string[]
  /** Connections that were made so far, and those that are open. */
  readonly made: { count: number }
  readonly open: ReadonlySet<Socket>
}

/** Members at addresses of loopback, all on the same port, which answer so many requests at a time with the address that was asked. */
async function openMembers(addresses: readonly string[], together = 1): Promise<Members> {
  const waiting: (() => void)[] = []
  const http = createHttpServer((incoming, response) => {
    incoming.resume()
    waiting.push(() => response.end(incoming.socket.localAddress))
    if (waiting.length === together) for (const answer of waiting.splice(0)) answer()
  })
  http.keepAliveTimeout = 60_000
  const made = { count: 0 }
  const open = new Set<Socket>()
  const port = await freePort()
  const servers: Server[] = []
  for (const address of addresses) {
    const server = createServer((socket) => {
      made.count++
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      http.emit('connection', socket)
    }).listen(port, address)
    await once(server, 'listening')
    servers.push(server)
  }
  return {
    port,
    addresses,
    made,
    open,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}

const addressesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => `127.23.${index >> 7}.${1 + (index & 127)}`)

const targetOf = ({ port, addresses }: Members) => [
  sampleTarget(addresses.map((address) => sampleMember(port, { address, instance: `web-${address}` }))),
]

/** Of one member, and of others that nobody asks. */
const oneOf = (members: Members) => [
  sampleRoute([], { id: 'one', targets: targetOf({ ...members, addresses: members.addresses.slice(0, 1) }) }),
  sampleRoute([], {
    id: 'rest',
    host: 'rest.example.com',
    targets: targetOf({ ...members, addresses: members.addresses.slice(1) }),
  }),
]

/** On connections that stay, so that requests cost the gateway no more than members. */
async function askTogether({ options }: TestGateway, agent: Agent, count: number): Promise<string[]> {
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const headers = { host: 'shop.example.com' }
      const call = request({ host: '127.0.0.1', port: options.httpPort, headers, agent }, async (response) => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk as Buffer)
        resolve(`${response.statusCode} ${Buffer.concat(chunks)}`)
      })
      call.once('error', reject).end()
    })
  return Promise.all(Array.from({ length: count }, ask))
}

const isKnown = async () => {
  const { version } = await findNginx(runCommand)
  return version[0] === 1 && version[1] === 22
}

describe.each([true, false])('idle connections to many members, named directly: %s', (directPeers) => {
  test('are found again by address, of IPv6 too', async () => {
    await using members = await openMembers([...addressesOf(many - 1), '::1'])
    await using open = await openGateway({ workers: 1, directPeers })
    using agent = disposable(new Agent({ keepAlive: true, maxSockets: 1 }))
    await open.gateway.apply(sampleTable(1, [sampleRoute([], { targets: targetOf(members) })]))
    const all = members.addresses.map((address) => `200 ${address}`).sort()
    // They end after 4 s, so a look that takes longer says nothing.
    for (let look = 0; look < 10; look++) {
      const begin = performance.now()
      expect((await askTogether(open, agent, many)).sort()).toEqual(all)
      const { count } = members.made
      expect((await askTogether(open, agent, many)).sort()).toEqual(all)
      if (performance.now() - begin > 3500) continue
      expect(members.made.count).toBe(count)
      return
    }
    throw new Error('this machine is too slow for a look at idle connections')
  })

  test('that a member closes are opened again', async () => {
    await using members = await openMembers(addressesOf(many))
    await using open = await openGateway({ workers: 1, directPeers })
    using agent = disposable(new Agent({ keepAlive: true, maxSockets: 4 }))
    await open.gateway.apply(sampleTable(1, [sampleRoute([], { targets: targetOf(members) })]))
    for (let turn = 0; turn < 3; turn++) {
      expect(new Set((await askTogether(open, agent, many)).map((answer) => answer.slice(0, 3)))).toEqual(
        new Set(['200']),
      )
      for (const socket of members.open) socket.end()
      await eventually(() => members.open.size === 0)
      // nginx hears of it as we do.
      await delay(20)
    }
    expect(members.made.count).toBe(3 * many)
  })

  test('that members come and go for are those of the members that there are', async () => {
    await using members = await openMembers(addressesOf(many))
    await using open = await openGateway({ workers: 1, directPeers })
    using agent = disposable(new Agent({ keepAlive: true, maxSockets: 4 }))
    for (let turn = 0; turn < 10; turn++) {
      const present = members.addresses.slice(turn % 4, (turn % 4) + 66)
      await open.gateway.apply(
        sampleTable(turn + 1, [sampleRoute([], { targets: targetOf({ ...members, addresses: present }) })]),
      )
      const answers = await askTogether(open, agent, 66)
      expect(answers.filter((answer) => !present.includes(answer.slice(4)))).toEqual([])
    }
    expect(Object.values((await open.gateway.status()).inflight).every((count) => count === 0)).toBe(true)
  })
})

test('of one member among many so many are kept, and those beyond are closed', async () => {
  if (!(await isKnown())) return expect(await isKnown()).toBe(false)
  await using members = await openMembers(addressesOf(many), 60)
  await using open = await openGateway({ workers: 1 })
  using agent = disposable(new Agent({ keepAlive: true, maxSockets: 60 }))
  await open.gateway.apply(sampleTable(1, oneOf(members)))
  for (let turn = 1; turn <= 3; turn++) {
    expect(new Set(await askTogether(open, agent, 60))).toEqual(new Set(['200 127.23.0.1']))
    expect(members.made.count).toBe(60 + (turn - 1) * (60 - partSize))
    await eventually(() => members.open.size === partSize)
  }
})

test('where the memory of nginx is known members are named directly, and what is found there is what is expected', async () => {
  await using members = await openMembers(addressesOf(1))
  await using open = await openGateway({ workers: 1 })
  await open.gateway.apply(sampleTable(1, [sampleRoute([], { targets: targetOf(members) })]))
  expect(await open.fetch('/')).toMatchObject({ status: 200, body: '127.23.0.1' })
  const paths = gatewayPaths(open.options.stateDir)
  expect(await readText(paths.configuration)).toContain(`direct = ${await isKnown()}`)
  expect(await readText(paths.errorLog)).not.toContain('members are named by')
})

// Each is what another build of nginx could have: the Lua files are changed, and read again by a reload.
test.each([
  ['a request of another kind', 'SIGNATURE = 0x50545448', 'SIGNATURE = 0x50545449', 'request'],
  ['a longer request', 'void *other[8]', 'void *other[41]', 'upstream|kept connections'],
  ['another upstream', 'void *read_handler, *write_handler;', 'void *read_handler;', 'kept connections'],
  ['another balancer', 'uint64_t round_robin[5]', 'uint64_t round_robin[6]', 'choice'],
  ['another pool', 'uint64_t size, requests,', 'uint64_t size, more, requests,', 'pool'],
  ['other times of idle connections', 'IDLE_MS, REQUESTS = 4000', 'IDLE_MS, REQUESTS = 5000', 'pool'],
  ['another version of the Lua module', 'LUA_VERSION = 10023', 'LUA_VERSION = 10028', 'version'],
])('%s is seen, and members are named as everywhere', async (_, text, instead, reason) => {
  await using members = await openMembers(addressesOf(many))
  await using open = await openGateway({ workers: 1 })
  await open.gateway.apply(sampleTable(1, [sampleRoute([], { targets: targetOf(members) })]))
  const paths = gatewayPaths(open.options.stateDir)
  const lua = (await readdir(paths.private)).find((name) => name.startsWith('lua-'))!
  const file = join(paths.private, lua, 'berth_handover.lua')
  const code = await readFile(file, 'utf8')
  expect(code).toContain(text)
  await writeFile(file, code.replace(text, instead))
  const { pid, reloads } = await open.gateway.status()
  process.kill(pid, 'SIGHUP')
  await eventually(async () => (await open.gateway.status()).reloads > reloads)
  const ask = async () => {
    const answers = await Promise.all(Array.from({ length: many }, () => open.fetch('/')))
    expect(answers.filter(({ status, body }) => status !== 200 || !members.addresses.includes(body))).toEqual([])
  }
  // The old worker may take a few requests more.
  const log = new RegExp((await isKnown()) ? `not as expected of nginx: .*(${reason})` : '')
  await eventually(async () => {
    await ask()
    return log.test(await readText(paths.errorLog))
  })
  await ask()
  expect(await readText(paths.errorLog)).not.toContain('signal')
})

const disposable = (agent: Agent): Agent & Disposable =>
  Object.assign(agent, { [Symbol.dispose]: () => agent.destroy() })
