import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AgentPeer } from './agents/agent-peer.testing.ts'
import { eventually } from './eventually.testing.ts'
import { ServerUnderTest } from './server-under-test.testing.ts'

/** Every wait has to bear a busy machine. */
const timeout = 120_000

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
