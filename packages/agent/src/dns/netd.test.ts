import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@berth/api/testing/free-ports.testing'
import type { NetworkConfig } from '@berth/core'
import dnsPacket from 'dns-packet'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Netd, type NetdOptions, startNetd } from './netd.ts'
import { createNetdFiles, type NetdFiles } from './netd-files.ts'
import { readNetdProblem } from './netd-problem.ts'
import { startTestResolver } from './test-resolver.testing.ts'
import { endGraceMs } from './udp-listener.ts'

const address = '127.0.0.1'
const network: NetworkConfig = {
  pool: '10.77.0.0/16',
  block: '10.77.1.0/24',
  peers: [],
  domain: 'berth',
  defaultPool: 'production',
}
const namesOf = (version: number, count: number) => ({
  version,
  entries: Array.from({ length: count }, (_, n) => ({
    app: 'shop',
    pool: 'production',
    entrypoint: 'web',
    instance: `shop.production.web-${n}`,
    address: `10.77.${version}.${n + 2}`,
    ports: [],
  })),
})

let stateDir: string
let files: NetdFiles

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'netd-'))
  files = createNetdFiles(stateDir)
  await files.writeNetwork(network)
  await files.writeNames(namesOf(1, 2))
  await writeFile(join(stateDir, 'resolv.conf'), '')
})
afterEach(() => rm(stateDir, { recursive: true, force: true }))

const log = pino({ level: 'silent' })
const start = (options: Partial<NetdOptions> = {}): Promise<Netd> =>
  startNetd({
    stateDir,
    log,
    listenAddresses: [address],
    port: 0,
    resolvConfPath: join(stateDir, 'resolv.conf'),
    ...options,
  })

const encode = (name: string, id = 7, type: dnsPacket.RecordType = 'A'): Buffer =>
  dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type }] })

const addressesIn = (packet: dnsPacket.Packet | undefined): string[] =>
  (packet?.answers ?? []).flatMap((answer) => (answer.type === 'A' ? [answer.data] : [])).sort()

/** As the libc does it with `options timeout:1 attempts:3`. Tells how many tries it took. */
async function askByUdp(
  port: number,
  name: string,
  { attempts = 3, timeoutMs = 1000 } = {},
): Promise<{ answer: dnsPacket.DecodedPacket | undefined; tries: number }> {
  const socket = createSocket('udp4')
  try {
    for (let tries = 1; tries <= attempts; tries++) {
      const received = once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) }).catch(() => [])
      socket.send(encode(name), port, address)
      const [message] = (await received) as [Buffer?]
      if (message !== undefined) return { answer: dnsPacket.decode(message), tries }
    }
    return { answer: undefined, tries: attempts }
  } finally {
    socket.close()
  }
}

const resolve = async (port: number, name: string): Promise<string[]> =>
  addressesIn((await askByUdp(port, name)).answer)

/** Sends all at once on one connection; resolves with the answers in the order of their arrival. */
async function askByTcp(port: number, messages: readonly Buffer[]): Promise<dnsPacket.DecodedPacket[]> {
  const socket = createConnection({ host: address, port })
  const framed = messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 255]), message])
  socket.end(Buffer.concat(framed))
  const received = Buffer.concat(await socket.toArray())
  const answers: dnsPacket.DecodedPacket[] = []
  for (let at = 0; at < received.length; at += 2 + received.readUInt16BE(at)) {
    answers.push(dnsPacket.decode(received.subarray(at + 2, at + 2 + received.readUInt16BE(at))))
  }
  return answers
}

describe('netd', () => {
  it('answers by UDP and TCP, from its files alone', async () => {
    await using netd = await start()
    expect(await resolve(netd.port, 'web.shop.berth')).toEqual(['10.77.1.2', '10.77.1.3'])
    const answers = await askByTcp(netd.port, [encode('web.shop.berth', 1), encode('nobody.berth', 2)])
    expect(answers.map((each) => each.id).sort()).toEqual([1, 2])
    expect(addressesIn(answers.find((each) => each.id === 1))).toEqual(['10.77.1.2', '10.77.1.3'])
    expect(netd.counters).toMatchObject({ own: 3, malformed: 0 })
  })

  it('sends the whole of a long answer by TCP', async () => {
    await files.writeNames(namesOf(1, 150))
    await using netd = await start()
    const { answer } = await askByUdp(netd.port, 'web.shop.berth')
    expect(answer?.flag_tc).toBe(true)
    const [whole] = await askByTcp(netd.port, [encode('web.shop.berth')])
    expect(addressesIn(whole)).toHaveLength(150)
  })

  it('answers by a change within a tenth of a second', async () => {
    await using netd = await start()
    const times: number[] = []
    for (let version = 2; version <= 12; version++) {
      await files.writeNames(namesOf(version, 1))
      const begin = performance.now()
      while ((await resolve(netd.port, 'web.shop.berth'))[0] !== `10.77.${version}.2`) {
        if (performance.now() - begin > 5000) break
      }
      times.push(performance.now() - begin)
    }
    expect(times.sort((a, b) => a - b)[5]).toBeLessThan(100)
    expect(times.at(-1)).toBeLessThan(1500)
  })

  it('drops and counts what is no question, and goes on', async () => {
    await using netd = await start()
    const socket = createSocket('udp4')
    for (const junk of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(600, 255), encode('a.berth').subarray(0, 20)]) {
      socket.send(junk, netd.port, address)
    }
    const end = Date.now() + 5000
    while (netd.counters.malformed < 4 && Date.now() < end) await delay(5)
    socket.close()
    expect(netd.counters.malformed).toBe(4)
    expect(await askByTcp(netd.port, [Buffer.alloc(5)])).toEqual([])
    expect(await resolve(netd.port, 'web.shop.berth')).toHaveLength(2)
  })

  it("asks the host's resolvers for other names, and follows them when they change", async () => {
    await using first = await startTestResolver(
      (q) => ({ answers: [{ type: 'A', name: q.name, data: '192.0.2.1' }] }),
      '127.0.0.1',
    )
    await using second = await startTestResolver(
      (q) => ({ answers: [{ type: 'A', name: q.name, data: '192.0.2.2' }] }),
      '127.0.0.2',
      first.port,
    )
    const resolvConf = join(stateDir, 'resolv.conf')
    await writeFile(resolvConf, 'nameserver 127.0.0.1\n')
    await using netd = await start({ resolverPort: first.port, listenAddresses: ['127.0.0.3'] })
    const ask = async (name: string) => {
      const socket = createSocket('udp4')
      const received = once(socket, 'message', { signal: AbortSignal.timeout(5000) })
      socket.send(encode(name), netd.port, '127.0.0.3')
      const [message] = (await received) as [Buffer]
      socket.close()
      return addressesIn(dnsPacket.decode(message))
    }
    expect(await ask('a.example')).toEqual(['192.0.2.1'])
    await writeFile(resolvConf, '# another network\nnameserver 127.0.0.2\n')
    const end = Date.now() + 10_000
    while ((await ask('b.example'))[0] !== '192.0.2.2' && Date.now() < end) await delay(50)
    expect(await ask('b.example')).toEqual(['192.0.2.2'])
    expect(second.asked.length).toBeGreaterThan(0)
  })

  it('does not ask itself, and says at once that it knows nobody to ask', async () => {
    await writeFile(join(stateDir, 'resolv.conf'), `nameserver ${address}\n`)
    await using netd = await start()
    // Who asks somebody waits for three seconds in all until it gives that up.
    const { answer, tries } = await askByUdp(netd.port, 'a.example', { timeoutMs: 2900 })
    expect(answer?.answers).toEqual([])
    expect(tries).toBe(1)
    expect(netd.counters).toMatchObject({ forwarded: 1, failed: 1 })
  })

  it('answers what is under way before it ends, and waits for nobody for long', async () => {
    let answers = true
    await using resolver = await startTestResolver(({ name }) =>
      answers ? { answers: [{ type: 'A', name, data: '192.0.2.1' }] } : undefined,
    )
    await writeFile(join(stateDir, 'resolv.conf'), 'nameserver 127.0.0.1\n')
    const netd = await start({ resolverPort: resolver.port, listenAddresses: ['127.0.0.3'] })
    const socket = createSocket('udp4')
    const received = once(socket, 'message', { signal: AbortSignal.timeout(10_000) })
    const idle = createConnection({ host: '127.0.0.3', port: netd.port, allowHalfOpen: true }).on('error', () => {})
    await once(idle, 'connect')
    answers = false
    for (const name of ['silent.example', 'answered.example']) {
      answers = name === 'answered.example'
      socket.send(encode(name), netd.port, '127.0.0.3')
      const end = Date.now() + 5000
      while (!resolver.asked.some((each) => each.name === name) && Date.now() < end) await delay(5)
    }
    // What it waits at most, as late as timers are on this machine now.
    const graceEnds = delay(endGraceMs).then(() => performance.now())
    await netd[Symbol.asyncDispose]()
    expect(performance.now() - (await graceEnds)).toBeLessThan(900)
    const [message] = (await received) as [Buffer]
    expect(addressesIn(dnsPacket.decode(message))).toEqual(['192.0.2.1'])
    socket.close()
    idle.destroy()
  })

  it('waits for a port that another server holds', async () => {
    const holder = createSocket('udp4')
    holder.bind(0, address)
    await once(holder, 'listening')
    const { port } = holder.address()
    const starting = start({ port })
    await delay(100)
    holder.close()
    await using netd = await starting
    expect(await resolve(netd.port, 'web.shop.berth')).toHaveLength(2)
  })

  it('gives up waiting when told to', async () => {
    const holder = createSocket('udp4')
    holder.bind(0, address)
    await once(holder, 'listening')
    const abort = new AbortController()
    const options = { stateDir, log, listenAddresses: [address], port: holder.address().port }
    const starting = startNetd(options, { signal: abort.signal })
    abort.abort()
    await expect(starting).rejects.toMatchObject({ name: 'AbortError' })
    holder.close()
  })
})

describe('the process of netd', () => {
  const started: ChildProcess[] = []
  const script = join(import.meta.dirname, 'netd-process.testing.ts')

  async function startProcess(port: number): Promise<ChildProcess> {
    const args = [script, stateDir, address, String(port), join(stateDir, 'resolv.conf')]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    started.push(child)
    await once(child.stdout as NodeJS.ReadableStream, 'data')
    return child
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** Long enough for a machine that is so busy that a process takes seconds to start: a libc's second, or more. */
  async function patienceMs(port: number): Promise<number> {
    const begin = performance.now()
    const child = await startProcess(port)
    const startMs = performance.now() - begin
    await end(child, 'SIGKILL')
    return Math.max(1000, Math.ceil(2 * startMs))
  }

  /** Four askers ask without a pause until `work` is done, which may wait until each of them has been answered again. */
  async function askDuring(
    port: number,
    work: (allAnswered: () => Promise<void>) => Promise<void>,
    timeoutMs = 1000,
  ): Promise<{ asked: number; lost: number; retried: number }> {
    const result = { asked: 0, lost: 0, retried: 0 }
    let done = false
    const answered = [0, 0, 0, 0]
    const asker = async (_: number, number: number) => {
      while (!done) {
        const { answer, tries } = await askByUdp(port, 'web.shop.berth', { timeoutMs })
        result.asked++
        answered[number] = (answered[number] ?? 0) + 1
        if (addressesIn(answer).length !== 2) result.lost++
        if (tries > 1) result.retried++
      }
    }
    const askers = answered.map(asker)
    await work(async () => {
      const before = [...answered]
      const end = Date.now() + 10 * timeoutMs
      while (answered.some((count, number) => count === before[number]) && Date.now() < end) await delay(5)
    })
    done = true
    await Promise.all(askers)
    return result
  }

  afterEach(async () => {
    for (const child of started.splice(0))
      if (child.exitCode === null && child.signalCode === null) await end(child, 'SIGKILL')
  })

  const busyMachineMs = 120_000

  it('hands over to its successor without a lost question', { timeout: busyMachineMs }, async () => {
    const port = await freePort(address)
    let current = await startProcess(port)
    const result = await askDuring(port, async () => {
      for (let round = 0; round < 6; round++) {
        const next = await startProcess(port)
        await end(current, 'SIGTERM')
        current = next
      }
    })
    expect(result.lost).toBe(0)
    expect(result.asked).toBeGreaterThan(50)
    // A packet that arrives between the last read of a socket and its end is asked again by the libc.
    expect(result.retried).toBeLessThanOrEqual(Math.max(2, result.asked / 50))
  })

  it('may be killed and started again: askers that try three times always get their answer', {
    timeout: busyMachineMs,
  }, async () => {
    const port = await freePort(address)
    const timeoutMs = await patienceMs(port)
    let current = await startProcess(port)
    const result = await askDuring(
      port,
      async (allAnswered) => {
        for (let round = 0; round < 4; round++) {
          await end(current, 'SIGKILL')
          current = await startProcess(port)
          await allAnswered()
        }
      },
      timeoutMs,
    )
    expect(result.lost).toBe(0)
    expect(result.asked).toBeGreaterThanOrEqual(16)
  })
})

describe('own domains', () => {
  it('are answered from the files, and asked of their own resolvers, as they change', async () => {
    const saying = (data: string) =>
      startTestResolver(({ name, type }) => ({ answers: type === 'A' ? [{ type: 'A', name, data }] : [] }), data, 0)
    await using internal = await saying('127.0.0.1')
    await using host = await startTestResolver(
      ({ name }) => ({ answers: [{ type: 'A', name, data: '127.0.0.2' }] }),
      '127.0.0.2',
      internal.port,
    )
    await writeFile(join(stateDir, 'resolv.conf'), 'nameserver 127.0.0.2\n')
    await using netd = await start({ resolverPort: host.port, listenAddresses: ['127.0.0.3'] })
    const ask = async (name: string): Promise<string[]> => {
      const socket = createSocket('udp4')
      const received = once(socket, 'message', { signal: AbortSignal.timeout(20_000) })
      socket.send(encode(name), netd.port, '127.0.0.3')
      const [message] = (await received) as [Buffer]
      socket.close()
      return addressesIn(dnsPacket.decode(message))
    }
    const until = async (name: string, wanted: readonly string[]) => {
      const end = Date.now() + 20_000
      let found = await ask(name)
      while (found.join() !== wanted.join() && Date.now() < end) {
        await delay(20)
        found = await ask(name)
      }
      expect(found).toEqual(wanted)
    }
    await until('a.corp.internal', ['127.0.0.2'])
    const resolvers = [{ address: '127.0.0.1' }]
    const domains = [
      { name: 'corp.internal', resolvers },
      { name: 'db.corp.internal', target: 'web.shop' },
    ]
    await files.writeNames({ ...namesOf(1, 2), domains })
    await until('a.corp.internal', ['127.0.0.1'])
    await until('A.Corp.internal', ['127.0.0.1'])
    await until('db.corp.internal', ['10.77.1.2', '10.77.1.3'])
    await until('acorp.internal', ['127.0.0.2'])
    await files.writeNames(namesOf(2, 2))
    await until('a.corp.internal', ['127.0.0.2'])
  })

  it.each(['own', 'the host’s'])('are asked of resolvers at addresses of IPv6: %s', async (whose) => {
    await using resolver = await startTestResolver(
      ({ name }) => ({ answers: [{ type: 'AAAA', name, data: '2001:db8::5' }] }),
      '::1',
    )
    if (whose === 'own') {
      const domains = [{ name: 'corp.internal', resolvers: [{ address: '::1' }] }]
      await files.writeNames({ ...namesOf(1, 2), domains })
    } else await writeFile(join(stateDir, 'resolv.conf'), 'nameserver ::1\n')
    await using netd = await start({ resolverPort: resolver.port, listenAddresses: ['127.0.0.3'] })
    const socket = createSocket('udp4')
    const received = once(socket, 'message', { signal: AbortSignal.timeout(20_000) })
    socket.send(encode('a.corp.internal', 7, 'AAAA'), netd.port, '127.0.0.3')
    const [message] = (await received) as [Buffer]
    socket.close()
    const { answers = [] } = dnsPacket.decode(message)
    expect(answers.map((each) => ('data' in each ? each.data : undefined))).toEqual(['2001:db8::5'])
  })
})

describe('a resolver that asks us what we ask it', () => {
  /** As others do: passes on what it is asked, and gives back the answer. */
  async function startLoop(port: () => number): Promise<AsyncDisposable & { readonly port: number }> {
    const socket = createSocket('udp4')
    const passing = new Set<ReturnType<typeof createSocket>>()
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    socket.on('message', (message, from) => {
      const onward = createSocket('udp4')
      passing.add(onward)
      onward.on('message', (answer) => socket.send(answer, from.port, from.address))
      onward.send(message, port(), '127.0.0.3')
    })
    return {
      port: socket.address().port,
      async [Symbol.asyncDispose]() {
        for (const each of [socket, ...passing]) each.close()
      },
    }
  }

  it('is refused at once, and the agent is told until the resolvers are others', async () => {
    let ourPort = 0
    await using loop = await startLoop(() => ourPort)
    await writeFile(join(stateDir, 'resolv.conf'), 'nameserver 127.0.0.1\n')
    await using netd = await start({ resolverPort: loop.port, listenAddresses: ['127.0.0.3'] })
    ourPort = netd.port
    const socket = createSocket('udp4')
    const received = once(socket, 'message', { signal: AbortSignal.timeout(20_000) })
    socket.send(encode('a.example'), netd.port, '127.0.0.3')
    const [answer] = (await received) as [Buffer]
    socket.close()
    expect(dnsPacket.decode(answer)).toMatchObject({ id: 7, rcode: 'REFUSED' })
    expect(netd.counters).toMatchObject({ forwarded: 1, looped: 3, failed: 0 })
    const end = Date.now() + 20_000
    const told = async (wanted: string | undefined) => {
      let problem = await readNetdProblem(stateDir)
      while ((problem === undefined) !== (wanted === undefined) && Date.now() < end) {
        await delay(20)
        problem = await readNetdProblem(stateDir)
      }
      return problem
    }
    expect(await told('it')).toMatch(/the resolver 127.0.0.1 asks this node's own DNS/)
    await writeFile(join(stateDir, 'resolv.conf'), 'nameserver 127.0.0.9\n')
    expect(await told(undefined)).toBeUndefined()
  })
})
