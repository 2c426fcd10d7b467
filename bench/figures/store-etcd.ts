import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EtcdMember } from '@berth/server/store/etcd/etcd-member'
import { calls } from '@berth/server/store/etcd/etcd-messages'
import { openEtcdStore } from '@berth/server/store/etcd/etcd-store'
import type { Store } from '@berth/server/store/store'
import { pino } from 'pino'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'

const writers = 64
const valueBytes = 300
const pairs = 7
const sampleMs = 1_000
const startWithinMs = 20_000
const minimumRatio = 0.8

/**
 * What it costs that a commit is known to have taken effect exactly once (every transaction compares and writes a slot): commits through
 * the store against bare puts by the same connection code, on one etcd whose data are on the disk, measured in turns.
 */
export const figure: Figure = {
  name: 'store-etcd',
  description: `commits of ${valueBytes} bytes by ${writers} writers at once through the etcd adapter`,
  unit: 'commits/s',
  peer: 'bare puts to the same etcd',
  target: `>= ${minimumRatio}`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  const directory = await mkdtemp('/var/tmp/berth-bench-etcd-') // not /tmp, which may be memory
  const [port = 0, peerPort = 0] = await Promise.all([freePort(), freePort()])
  const url = (each: number): string => `http://127.0.0.1:${each}`
  const etcd = spawn(
    'etcd',
    [
      ...['--name', 'bench', '--data-dir', join(directory, 'data'), '--log-level', 'error'],
      ...['--listen-client-urls', url(port), '--advertise-client-urls', url(port)],
      ...['--listen-peer-urls', url(peerPort), '--initial-advertise-peer-urls', url(peerPort)],
      ...['--initial-cluster', `bench=${url(peerPort)}`],
    ],
    { stdio: 'ignore' },
  )
  try {
    using bare = new EtcdMember(`127.0.0.1:${port}`)
    await untilReady(bare, signal)
    await using store = await openEtcdStore({
      ...{ addresses: [bare.address], prefix: '/bench', log: pino({ level: 'silent' }), signal },
    })
    const samples: { ours: number; peer: number }[] = []
    for (let pair = 1; pair <= pairs && !signal.aborted; pair++) {
      samples.push({ ours: await perSecond(commitTo(store)), peer: await perSecond(putTo(bare, signal)) })
      log(`pair ${pair} of ${pairs}`)
    }
    const ours = samples.map((sample) => sample.ours)
    const ratio = median(samples.map((sample) => sample.ours / sample.peer))
    const peer = median(samples.map((sample) => sample.peer))
    return { ours: median(ours), peer, ratio, ok: ratio >= minimumRatio, samples: ours, notes: [] }
  } finally {
    const exit = once(etcd, 'exit')
    if (etcd.kill('SIGKILL')) await exit
    await rm(directory, { recursive: true, force: true })
  }
}

const value = 'x'.repeat(valueBytes)

const commitTo = (store: Store) => (key: string) => store.commit({ operations: [{ type: 'put', key, value }] })

const putTo = (member: EtcdMember, signal: AbortSignal) => (key: string) =>
  member.ask(
    calls.txn,
    { compare: [], success: [{ request_put: { key: Buffer.from(`/bare${key}`), value: Buffer.from(value) } }] },
    { token: undefined, timeoutMs: 10_000, signal },
  )

async function perSecond(put: (key: string) => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  let done = 0
  const write = async (writer: number): Promise<void> => {
    for (; performance.now() < startMs + sampleMs; done++) await put(`/${writer}/${done % 10_000}`)
  }
  await Promise.all(Array.from({ length: writers }, (_, index) => write(index)))
  return (done / (performance.now() - startMs)) * 1_000
}

async function untilReady(member: EtcdMember, signal: AbortSignal): Promise<void> {
  const endMs = performance.now() + startWithinMs
  for (;;) {
    try {
      await member.ask(calls.range, { key: Buffer.from('any') }, { token: undefined, timeoutMs: 1_000, signal })
      return
    } catch (error) {
      if (performance.now() > endMs) throw error
      await sleep(100, undefined, { signal })
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await once(server.close(), 'close')
  return port
}
