import { existsSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { fetchFrom, openUpstream } from '../gateway/gateway.testing.ts'
import { removeGateway } from '../gateway/remove-gateway.ts'
import { Scratch } from '../testing/scratch.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { LazyGateway } from './lazy-gateway.ts'

it('of a node that is none any more serves what it has begun, ends, and begins anew when it is one again', async () => {
  await using scratch = new Scratch('gateway')
  await chmod(scratch.dir, 0o711)
  const directory = join(scratch.dir, 'gateway')
  const log = pino({ level: 'silent' })
  const arrived = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  await using member = await openUpstream(async ({ url }, response) => {
    if (url === '/slow') {
      arrived.resolve()
      await answer.promise
    }
    response.end('served')
  })
  const httpPort = await freePort()
  const problems: (string | undefined)[] = []
  // After the loop, which would start it again.
  await using _ended = { [Symbol.asyncDispose]: () => removeGateway(directory, log, 0) }
  await using lazy = new LazyGateway({
    ...{ directory, log, options: { httpPort, listenAddress: '127.0.0.1', workers: 1 } },
    ...{
      onReport: () => undefined,
      onRequests: () => undefined,
      onForced: () => undefined,
      onProblem: (problem) => problems.push(problem),
    },
  })
  const fetched = (path: string) => fetchFrom(httpPort, path).then(({ body }) => body, String)
  const table = (version: number) => sampleTable(version, [sampleRoute([member.port])])
  try {
    lazy.end()
    lazy.apply(table(1), false)
    await waitUntil('it to serve', async () => (await fetched('/')) === 'served', 30_000)
    const slow = fetched('/slow')
    await arrived.promise
    lazy.end()
    await waitUntil('nobody to be let in', async () => (await fetched('/')).includes('ECONNREFUSED'), 30_000)
    expect(lazy.isRunning).toBe(true)
    answer.resolve()
    expect(await slow).toBe('served')
    await waitUntil('its end', () => !lazy.isRunning, 30_000)
    expect([existsSync(directory), problems.filter((each) => each !== undefined)]).toEqual([false, []])
    lazy.apply(table(2), false)
    await waitUntil('it to serve again', async () => (await fetched('/')) === 'served', 30_000)
  } finally {
    answer.resolve()
  }
}, 120_000)
