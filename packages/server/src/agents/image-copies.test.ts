import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, type Build, type Node, type Release } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { NodePaces } from './copy-pace.ts'
import { type CopyImage, ImageCopies } from './image-copies.ts'

let under: RecordsUnderTest
const closing = new AbortController()
const log = pino({ level: 'silent' })
const image = 'sha256:1'

beforeEach(async () => {
  under = await openTemporaryRecords()
})
afterEach(() => under[Symbol.asyncDispose]())

const nodeNames = (count: number): string[] => Array.from({ length: count }, (_, at) => `node-${at + 1}`)

/** `node-1` has built the image. */
async function cluster(names: readonly string[], over: Partial<Node> = {}): Promise<void> {
  for (let from = 0; from < names.length; from += 50)
    await under.records.commit('system:test', (tx) => {
      for (const name of names.slice(from, from + 50))
        tx.put('nodes', { name, labels: {}, schedulable: true, ...over } as Node)
    })
  await under.records.commit('system:test', (tx) => {
    tx.put('releases', { app: 'shop', id: 'v1', image, build: 'b-1' } as Release)
    tx.put('builds', { id: 'b-1', app: 'shop', state: 'succeeded', node: 'node-1', image } as Build)
  })
}

/** Copies that take a moment, and who copies from whom while they do. */
class Traffic {
  readonly has = new Set(['node-1'])
  readonly under = new Set<readonly [from: string, to: string]>()
  readonly done: string[] = []
  most = { giving: 0, taking: 0 }

  readonly copy: CopyImage = async (_, from, to) => {
    if (!this.has.has(from)) throw new BerthError('engine.image-missing', `not on ${from}`, { details: { node: from } })
    const pair = [from, to] as const
    this.under.add(pair)
    const count = (at: 0 | 1, node: string) => [...this.under].filter((each) => each[at] === node).length
    this.most = {
      giving: Math.max(this.most.giving, count(0, from)),
      taking: Math.max(this.most.taking, count(1, to)),
    }
    await delay(5)
    this.under.delete(pair)
    this.has.add(to)
    this.done.push(`${from} ${to}`)
  }
}

const copiesWith = (copy: CopyImage, over: { isConnected?: (node: string) => boolean; stallMs?: number } = {}) =>
  new ImageCopies({ state: under.state, isConnected: () => true, copy, log, signal: closing.signal, ...over })

describe('an image that a hundred nodes need', () => {
  it('comes to all of them, and nobody gives or takes more at once than two', async () => {
    const names = nodeNames(100)
    await cluster(names)
    const traffic = new Traffic()
    using copies = copiesWith(traffic.copy)
    const wanted = names.slice(1)
    expect(await Promise.all(wanted.map((node) => copies.bring(image, node)))).toEqual(wanted.map(() => undefined))
    expect(traffic.done).toHaveLength(99)
    expect(traffic.most.giving).toBeLessThanOrEqual(2)
    expect(traffic.done.filter((each) => each.startsWith('node-1 ')).length).toBeLessThan(30)
  })

  it('is given by as many at once as a node may', async () => {
    const names = nodeNames(12)
    await cluster(names, { images: { gives: 5 } })
    const traffic = new Traffic()
    using copies = copiesWith(traffic.copy)
    await Promise.all(names.slice(1).map((node) => copies.bring(image, node)))
    expect(traffic.most.giving).toBeLessThanOrEqual(5)
    expect(traffic.most.giving).toBeGreaterThan(2)
  })

  it('is waited for by a node that takes others, until it may take it', async () => {
    await cluster(nodeNames(3), { images: { takes: 1 } })
    const traffic = new Traffic()
    using copies = copiesWith(traffic.copy)
    await Promise.all([copies.bring(image, 'node-2'), copies.bring('sha256:2', 'node-2')])
    expect(traffic.most.taking).toBe(1)
  })
})

describe('an image that cannot be had', () => {
  it('says why the node could not take it, without asking others', async () => {
    await cluster(nodeNames(3))
    const from: string[] = []
    using copies = copiesWith(async (_, source, to) => {
      from.push(source)
      throw new BerthError('engine.disk-full', 'load an image archive: no space left on device', {
        details: { node: to },
      })
    })
    expect(await copies.bring(image, 'node-2')).toBe('load an image archive: no space left on device')
    expect(from).toEqual(['node-1'])
  })

  it('is looked for on other nodes when the one that should have it has not', async () => {
    await cluster(nodeNames(3))
    const traffic = new Traffic()
    traffic.has.clear()
    traffic.has.add('node-3')
    using copies = copiesWith(traffic.copy)
    expect(await copies.bring(image, 'node-2')).toBeUndefined()
    expect([...copies.holders.of(image)].sort()).toEqual(['node-2'])
  })

  it('is not waited for when the only one that has it goes', async () => {
    await cluster(nodeNames(2), { images: { gives: 1 } })
    let connected = true
    const gate = Promise.withResolvers<void>()
    using copies = copiesWith(() => gate.promise, { isConnected: () => connected })
    void copies.bring('sha256:0', 'node-2')
    const waiting = copies.bring(image, 'node-2')
    connected = false
    gate.resolve()
    expect(await waiting).toBe('no connected node has it')
  })

  it('is given up when nothing of it moves any more', async () => {
    await cluster(nodeNames(2))
    using copies = copiesWith(
      (_, __, ___, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut')))),
      { stallMs: 50 },
    )
    expect(await copies.bring(image, 'node-2')).toMatch(/nothing has moved for 0.05 s; look at Docker and the disk of/)
  })
})

describe('the pace of copies', () => {
  it('is that of the slower node, for all its copies together', () => {
    let now = 0
    const paces = new NodePaces(
      (node) => ({ slow: 1000, fast: 10_000 })[node],
      () => now,
    )
    expect(paces.waitMs(['fast', 'slow'], 500)).toBe(0)
    expect(paces.waitMs(['free', 'slow'], 500)).toBe(500)
    now = 2000
    expect(paces.waitMs(['fast', 'slow'], 500)).toBe(0)
    expect(paces.waitMs(['free'], 1_000_000_000)).toBe(0)
  })

  it('holds a copy to it', async () => {
    await cluster(nodeNames(2), { images: { bytesPerSecond: 1_000_000 } })
    let took = 0
    using copies = copiesWith(async (_, __, ___, { pass }) => {
      const began = performance.now()
      const chunks = async function* () {
        for (let count = 0; count < 4; count++) yield Buffer.alloc(50_000)
      }
      for await (const _chunk of pass(chunks())) took = performance.now() - began
    })
    expect(await copies.bring(image, 'node-2')).toBeUndefined()
    expect(took).toBeGreaterThan(140)
  })
})

it('takes a changed rule at once', async () => {
  await cluster(nodeNames(4), { images: { gives: 1 } })
  const gate = Promise.withResolvers<void>()
  let running = 0
  using copies = copiesWith(async () => {
    running += 1
    await gate.promise
  })
  const all = ['node-2', 'node-3', 'node-4'].map((node) => copies.bring(image, node))
  await eventually(() => expect(running).toBe(1))
  await under.records.commit('system:test', (tx) => {
    tx.put('nodes', { name: 'node-1', labels: {}, schedulable: true, images: { gives: 3 } } as unknown as Node)
  })
  await eventually(() => expect(running).toBe(3))
  gate.resolve()
  await Promise.all(all)
})
