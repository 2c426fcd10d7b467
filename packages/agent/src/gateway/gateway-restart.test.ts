import { readFile } from 'node:fs/promises'
import { sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GatewayLoop } from '../node/gateway-loop.ts'
import { eventually, fetchFrom, openGateway, openUpstream, type TestGateway, type Upstream } from './gateway.testing.ts'

let open: TestGateway
let member: Upstream
let loop: GatewayLoop

beforeEach(async () => {
  open = await openGateway({ workers: 2 })
  member = await openUpstream()
  loop = new GatewayLoop({
    gateway: open.gateway,
    log: open.options.log,
    onReport: () => undefined,
    onRequests: () => undefined,
    onForced: () => undefined,
    onProblem: () => undefined,
  })
  loop.apply(sampleTable(1, [sampleRoute([member.port])]))
  await eventually(() => loop.report?.version === 1)
})
afterEach(async () => {
  await loop[Symbol.asyncDispose]()
  await open[Symbol.asyncDispose]()
  await member.close()
})

async function workersOf(master: number): Promise<number[]> {
  const text = await readFile(`/proc/${master}/task/${master}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

/** Milliseconds from the first request that is not answered to the first one that is again. */
async function gapAfter(kill: () => void): Promise<number> {
  const startedAt = performance.now()
  kill()
  let failedAt: number | undefined
  for (;;) {
    const status = await fetchFrom(open.options.httpPort, '/', { signal: AbortSignal.timeout(5_000) }).then(
      (reply) => reply.status,
      () => 0,
    )
    if (status !== 200) failedAt ??= performance.now()
    else if (failedAt !== undefined) return performance.now() - failedAt
    if (performance.now() - startedAt > 15_000) throw new Error('the gateway does not come back')
  }
}

describe('nginx is killed while the agent runs', () => {
  test.each([
    ['all of it', (pids: number[]) => pids],
    // Its workers serve on until they are told to make room.
    ['its master', ([master = 0]: number[]) => [master]],
  ])('%s: it serves again at once, and again when that happens again', async (_, victims) => {
    for (let round = 0; round < 2; round += 1) {
      const { pid } = await open.gateway.status()
      const pids = victims([pid, ...(await workersOf(pid))])
      const gapMs = await gapAfter(() => {
        for (const each of pids) process.kill(each, 'SIGKILL')
      })
      // 75 ms on a quiet machine; this one may be busy.
      expect(gapMs).toBeLessThan(5_000)
      await eventually(() => loop.report?.version === 1)
      expect((await open.gateway.status()).pid).not.toBe(pid)
    }
  })
})
