import { appendFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { AgentPeer, nodeStatus } from './agents/agent-peer.testing.ts'
import { eventually } from './eventually.testing.ts'
import { ServerUnderTest } from './server-under-test.testing.ts'
import { makeTemporaryDirectory } from './store/sqlite/open-temporary.testing.ts'
import { mountSmallDisk } from './store/sqlite/small-disk.testing.ts'

/** Every wait has to bear a busy machine. */
const timeout = 120_000

/** Until nothing more fits. */
async function fillUp(path: string): Promise<void> {
  const failure = await (async () => {
    for (const bytes of [65_536, 4_096]) await appendUntilFull(path, bytes)
  })().catch((error: unknown) => error)
  expect(failure).toBeUndefined()
}

async function appendUntilFull(path: string, bytes: number): Promise<void> {
  for (let count = 0; count < 10_000; count++) {
    const failure: NodeJS.ErrnoException | undefined = await appendFile(path, Buffer.alloc(bytes)).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    if (failure?.code === 'ENOSPC') return
    if (failure !== undefined) throw failure
  }
}

describe('a server whose disk is full', { timeout }, () => {
  it('says so to who writes, answers who reads, keeps its agents, and has lost nothing when there is room again', async () => {
    await using directory = await makeTemporaryDirectory()
    await using _disk = await mountSmallDisk(join(directory.path, 'small'), 16_384)
    const filler = join(directory.path, 'small/filler')
    await using server = new ServerUnderTest(join(directory.path, 'small/berth'), {})
    await server.run()
    const peer = await server.connect('n1')
    const node = () => server.local.call('getNode', { params: { name: 'n1' } })
    await eventually(async () => expect((await node()).online).toBe(true))
    const write = (n: number) =>
      server.local.call('updateNode', {
        params: { name: 'n1' },
        body: { labels: { n: String(n), pad: 'x'.repeat(60) } },
      })
    await write(0)
    let acknowledged = 0
    const failure = await (async () => {
      for (let n = 1; n < 2_000; n++) {
        // The journal has room of its own at first.
        await fillUp(filler)
        await write(n)
        acknowledged = n
      }
    })().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BerthError)
    expect(failure).toMatchObject({
      code: 'store.full',
      retryable: true,
      message: expect.stringContaining('no space left'),
    })
    expect((await node()).labels.n).toBe(String(acknowledged))
    await peer.send({ type: 'node', node: nodeStatus('n1', { problems: ['told while the disk was full'] }) })
    await eventually(async () => expect((await node()).online).toBe(true))
    expect(peer.closed).toBe(false)
    await rm(filler)
    await write(5_000)
    await eventually(
      async () => expect((await node()).problems.join()).toContain('told while the disk was full'),
      60_000,
    )
    await server.stop()
    await server.run()
    expect((await node()).labels.n).toBe('5000')
  })
})

describe('a store that is empty', { timeout }, () => {
  it('stops nothing: its server takes no agent that it does not know, says why, and the old store goes on with it', async () => {
    await using server = await ServerUnderTest.start()
    const credentials = await server.join('n1')
    const first = await server.connect('n1')
    await eventually(() => expect(first.last('snapshot')).toBeDefined())
    await server.stop()
    const files = ['store.db', 'store.db-wal', 'store.db-shm'].map((name) =>
      join(server.config.stateDir, 'server', name),
    )
    const kept = files.map((file, n) => [file, join(server.directory, `saved-${n}`)] as const)
    for (const [file, to] of kept) if (await isThere(file)) await rename(file, to)
    await server.run()
    const stranger = await AgentPeer.dial(server.edge.agentPort, credentials)
    await eventually(() => expect(stranger.closed).toBe(true))
    // Nothing was said to it that it could act upon.
    expect(stranger.received).toEqual([])
    expect(server.logged.join('')).toContain('there is no node \\"n1\\"; it was removed or belongs to another store')
    await server.stop()
    for (const [file, to] of kept) {
      await rm(file, { force: true })
      if (await isThere(to)) await rename(to, file)
    }
    await server.run()
    const again = await server.connect('n1')
    await eventually(() => expect(again.last('snapshot')?.epoch).toBe(first.last('snapshot')?.epoch))
  })
})

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
