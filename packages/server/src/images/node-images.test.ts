import { BerthError, type Build, type Node, type NodeImage, type Release } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { ImageRemovals } from './image-removals.ts'
import { NodeImages, type NodeImagesOptions } from './node-images.ts'

const hourMs = 3_600_000
const { signal } = new AbortController()

let under: RecordsUnderTest
let nodes: Map<string, NodeImage[]>
let offline: Set<string>
let removed: string[]
/** Called before a removal takes effect. */
let onRemove: (node: string, reference: string) => Promise<void> | void
let removals: ImageRemovals

beforeEach(async () => {
  under = await openTemporaryRecords()
  nodes = new Map()
  offline = new Set()
  removed = []
  onRemove = () => undefined
  removals = new ImageRemovals()
})
afterEach(async () => await under[Symbol.asyncDispose]())

const image = (reference: string, over: Partial<NodeImage> = {}): NodeImage => ({
  reference,
  id: `id of ${reference}`,
  createdAt: 0,
  sizeBytes: 1000,
  used: false,
  ...over,
})
const app = (name: string, tag: string | number) => `berth/app-${name}:${tag}`

const offlineError = (node: string) => new BerthError('node.offline', `${node} is away`, { retryable: true })

function open(options: Partial<NodeImagesOptions> = {}): NodeImages {
  const agents = {
    isConnected: (node: string) => !offline.has(node),
    listImages: async (node: string) => {
      if (offline.has(node)) throw offlineError(node)
      return nodes.get(node) ?? []
    },
    removeImage: async (node: string, reference: string) => {
      await onRemove(node, reference)
      if (offline.has(node)) throw offlineError(node)
      removed.push(`${node} ${reference}`)
      nodes.set(
        node,
        (nodes.get(node) ?? []).filter((each) => each.reference !== reference),
      )
    },
  }
  const log = pino({ level: 'silent' })
  const shared = { records: under.records, agents, removals, log, intervalMs: hourMs, soonMs: 5 }
  const images = new NodeImages({ ...shared, ...options })
  images.sweep()
  return images
}

const release = (id: string, name: string, imageId: string, build?: string): Release => ({
  app: name,
  id,
  image: imageId,
  spec: { app: name } as Release['spec'],
  createdAt: 0,
  createdBy: 'local:0',
  ...(build === undefined ? {} : { build }),
})

const build = (id: string, name: string, over: Partial<Build> = {}): Build => ({
  ...{ id, app: name, ref: 'HEAD', state: 'succeeded', createdAt: 0, createdBy: 'local:0' },
  ...over,
})

async function given(records: { nodes?: string[]; releases?: Release[]; builds?: Build[] }): Promise<void> {
  await under.records.commit('local:0', (tx) => {
    for (const name of records.nodes ?? ['a']) tx.put('nodes', { name, labels: {} } as Partial<Node> as Node)
    for (const each of records.releases ?? []) tx.put('releases', each)
    for (const each of records.builds ?? []) tx.put('builds', each)
    tx.event({ type: 'routing.set', subject: {}, message: 'made' })
  })
}

/** A release goes, as retention removes one. */
const dropRelease = async (id: string): Promise<void> =>
  void (await under.records.commit('system:retention', (tx) => tx.delete('releases', id)))

const tags = (node: string) => (nodes.get(node) ?? []).map((each) => each.reference)

describe('when a release goes', () => {
  it('its image goes from every node; what others need stays', async () => {
    await given({
      nodes: ['a', 'b'],
      releases: [release('v1', 'shop', 'one'), release('v2', 'shop', 'two'), release('v1', 'copy', 'one')],
    })
    const all = [image(app('shop', 1), { id: 'one' }), image(app('shop', 2), { id: 'two' })]
    nodes.set('a', [...all, image(app('shop', 3), { used: true }), image('berth/level-node:x')])
    nodes.set('b', all)
    await using images = open()
    await dropRelease('shop/v2')
    await eventually(() => expect(removed.sort()).toEqual([`a ${app('shop', 2)}`, `b ${app('shop', 2)}`]))
    await dropRelease('shop/v1')
    await under.records.commit('local:0', (tx) =>
      tx.event({ type: 'routing.set', subject: {}, message: 'nothing to do' }),
    )
    expect((await images.list('a', { signal })).images.map((each) => each.verdict)).toEqual([
      'release',
      'used',
      'level',
    ])
    await dropRelease('copy/v1')
    await eventually(() => expect(tags('b')).toEqual([]))
    expect(under.state.events.all().map((event) => event.message)).toContain(
      `1 image that no release needs went from b: ${app('shop', 2)}`,
    )
  })

  it('an app that is removed leaves no images', async () => {
    await given({ releases: [release('v1', 'shop', 'one')] })
    nodes.set('a', [image(app('shop', 1), { id: 'one' })])
    await using _images = open()
    await dropRelease('shop/v1')
    await eventually(() => expect(tags('a')).toEqual([]))
  })
})

describe('after a restart', () => {
  it('what should have gone before goes, a bounded number at a time', async () => {
    await given({})
    nodes.set(
      'a',
      Array.from({ length: 25 }, (_, n) => image(app('old', n), { createdAt: n })),
    )
    await using _images = open({ intervalMs: 20, perNode: 10 })
    await eventually(() => expect(tags('a')).toEqual([]))
    expect(removed[0]).toBe(`a ${app('old', 0)}`)
    const counts = () => under.state.events.all().flatMap(({ message }) => /^(\d+) images/.exec(message)?.[1] ?? [])
    await eventually(() => expect(counts().sort()).toEqual(['10', '10', '5']))
  })
})

describe('a build', () => {
  it('keeps all images of its app, and levels of a node that it may come to', async () => {
    await given({ nodes: ['a', 'b'], builds: [build('b-1', 'shop', { state: 'queued' })] })
    const levels = [image('berth/level-x:1'), image('berth/level-x:2', { createdAt: 1 })]
    for (const node of ['a', 'b']) nodes.set(node, [image(app('shop', 1)), image(app('blog', 1)), ...levels])
    await using images = open()
    expect((await images.prune(undefined, { actor: 'token:ann' })).images.map((each) => each.reference)).toEqual([
      app('blog', 1),
      app('blog', 1),
    ])
    await given({ builds: [build('b-1', 'shop', { state: 'running', node: 'a' })] })
    await images.prune(undefined, { actor: 'token:ann' })
    expect(removed.slice(2)).toEqual(['b berth/level-x:1'])
    await given({ builds: [build('b-1', 'shop', { state: 'succeeded', node: 'a', levels: ['berth/level-x:1'] })] })
    await images.prune(undefined, { actor: 'token:ann' })
    expect(tags('a')).toEqual(['berth/level-x:1', 'berth/level-x:2'])
  })

  it('that begins between two removals keeps what is left', async () => {
    await given({})
    nodes.set('a', [image(app('shop', 1)), image(app('shop', 2), { createdAt: 1 })])
    onRemove = () => given({ builds: [build('b-1', 'shop', { state: 'queued' })] })
    await using images = open()
    await images.prune('a', { actor: 'token:ann' })
    expect(tags('a')).toEqual([app('shop', 2)])
  })

  it('is told of a removal under way when it asks what is there', async () => {
    await given({})
    nodes.set('a', [image(app('shop', 1))])
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    onRemove = () => {
      begun.resolve()
      return gate.promise
    }
    await using images = open()
    const pruning = images.prune('a', { actor: 'token:ann' })
    await begun.promise
    let asked = false
    const asking = removals.settled('a').then(() => {
      asked = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(asked).toBe(false)
    gate.resolve()
    await asking
    expect(tags('a')).toEqual([])
    await pruning
  })
})

describe('levels', () => {
  it('stay while a kept release stands on them', async () => {
    const standing = build('b-1', 'shop', { levels: ['berth/level-x:1'] })
    const newer = build('b-2', 'shop', { levels: ['berth/level-x:2'], createdAt: 1 })
    await given({ releases: [release('v1', 'shop', 'one', 'b-1')], builds: [standing, newer] })
    const images = [1, 2, 3, 4].map((n) => image(`berth/level-x:${n}`, { createdAt: n }))
    nodes.set('a', images)
    await using all = open()
    await all.prune('a', { actor: 'token:ann' })
    expect(tags('a')).toEqual(['berth/level-x:1', 'berth/level-x:2', 'berth/level-x:4'])
    await dropRelease('shop/v1')
    await eventually(() => expect(tags('a')).toEqual(['berth/level-x:2', 'berth/level-x:4']))
  })
})

describe('what cannot be removed', () => {
  it('stays, and does not hold up the rest', async () => {
    await given({})
    nodes.set('a', [image(app('shop', 1)), image(app('shop', 2), { createdAt: 1 })])
    onRemove = (_, reference) => {
      if (reference === app('shop', 1)) throw new BerthError('engine.rejected', 'a container uses it')
    }
    await using images = open()
    const { images: gone } = await images.prune('a', { actor: 'token:ann' })
    expect(gone.map((each) => each.reference)).toEqual([app('shop', 2)])
  })

  it('on a node that goes away is tried again later; the others are cleaned', async () => {
    await given({ nodes: ['a', 'b'] })
    for (const node of ['a', 'b']) nodes.set(node, [image(app('shop', 1)), image(app('shop', 2), { createdAt: 1 })])
    onRemove = (node) => {
      if (node === 'a') offline.add('a')
    }
    await using images = open()
    const answer = await images.prune(undefined, { actor: 'token:ann' })
    expect(answer.unreachable).toEqual([{ node: 'a', message: 'a is away' }])
    expect(tags('b')).toEqual([])
    expect((await images.list(undefined, { signal })).unreachable).toHaveLength(1)
    onRemove = () => undefined
    offline.clear()
    await images.prune('a', { actor: 'token:ann' })
    expect(tags('a')).toEqual([])
    const event = under.state.events
      .all()
      .find((each) => each.type === 'node.images-removed' && each.subject.node === 'b')
    expect(event).toMatchObject({ actor: 'token:ann', message: expect.stringContaining('2 images') })
  })

  it('is on a node that does not exist', async () => {
    await using images = open()
    await expect(images.list('nowhere', { signal })).rejects.toMatchObject({ code: 'node.not-found' })
  })
})
