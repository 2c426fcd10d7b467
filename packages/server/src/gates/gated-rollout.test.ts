import type { GateSpec, StageSpec, TrafficStats, TrafficWindow } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from '../controllers/cluster.testing.ts'
import type { QueryAnswer } from './prometheus.ts'

const call = { actor: 'token:ann' }
const production = { app: 'shop', pool: 'production' }
const none = { requests: 0, errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(cluster.node.stoppedInTraffic).toEqual([])
})

/** Serves `v1` from three instances, and begins to deploy `v2` by these stages. */
async function deploy(stages: readonly StageSpec[]): Promise<string> {
  const rollout = { surge: 1, unavailable: 0, settleMs: 0, before: [], stages: [...stages, { name: 'all', gates: [] }] }
  for (const ref of ['c1', 'c2'])
    cluster.commits.set(ref, testSpec({ web: { replicas: 3, command: [ref] } }, { routes: [webRoute], rollout }))
  await cluster.deploy('c1')
  await cluster.operations.deploy({ ...production, ref: 'c2', force: false, repository: '/repo' }, call)
  await cluster.until('a rollout', () => cluster.state.pools.find('shop', 'production')?.rollout !== undefined)
  return cluster.state.pools.find('shop', 'production')?.rollout ?? ''
}

const canary = (gate: GateSpec, over: Partial<StageSpec> = {}): StageSpec => ({
  ...{ name: 'canary', instances: 1, gates: [gate] },
  ...over,
})
const rolloutOf = (id: string) => cluster.state.rollouts.get(id)
const endOf = (id: string) => cluster.until('the end', () => rolloutOf(id)?.endedAt !== undefined)

/** What gateways would tell of the new release. */
function counts(fresh: Partial<typeof none>, isKnown = true): TrafficStats {
  return {
    window: (_, __, toMs): TrafficWindow => ({
      all: { ...none, ...fresh },
      generations: [{ generation: 2, release: 'v2', ...none, ...fresh }],
      knownFromMs: 0,
      ...(isKnown ? { knownToMs: toMs } : {}),
    }),
  }
}

const errors: GateSpec = { type: 'errors', most: 10, requests: 20, overMs: 100, onNoData: 'hold' }
const query: GateSpec = {
  type: 'query',
  query: 'bad{app="$app",release="$release",x="$y"}',
  below: 1,
  overMs: 100,
  onNoData: 'hold',
}

describe('a stage that is judged by requests', () => {
  it('goes on when few failed', async () => {
    cluster.requests = counts({ requests: 100, errors5xx: 1 })
    const id = await deploy([canary(errors)])
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({
      state: 'succeeded',
      stages: [{ gates: [{ verdict: 'passed', message: 'errors at most 1% over 100ms: 1% of 100 requests' }] }, {}],
    })
  })

  it('takes the pool back when too many failed', async () => {
    cluster.requests = counts({ requests: 100, errors5xx: 2 })
    const id = await deploy([canary(errors)])
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({
      ...{
        state: 'rolled-back',
        failure: { reason: 'stage canary: errors at most 1% over 100ms: 2% of 100 requests' },
      },
    })
    expect(
      cluster.state.instances.all().filter(({ release, desired }) => release === 'v2' && desired === 'run'),
    ).toEqual([])
  })

  it('holds without a gateway’s word, and goes on when it comes', async () => {
    cluster.aheadMs = 0
    cluster.requests = counts({}, false)
    const id = await deploy([canary(errors)])
    await cluster.until('the gate', () => rolloutOf(id)?.stages?.[0]?.readyAt !== undefined)
    cluster.aheadMs = 60_000
    await cluster.until('no data', () => rolloutOf(id)?.stages?.[0]?.gates[0]?.verdict === 'no-data')
    expect(rolloutOf(id)).toMatchObject({
      ...{ state: 'running', message: expect.stringContaining('no data, a gateway has not told its counts') },
    })
    cluster.requests = counts({ requests: 100 })
    await endOf(id)
    expect(rolloutOf(id)?.state).toBe('succeeded')
  })

  it('gives the new release the share that it says, and each instance its own again afterwards', async () => {
    cluster.requests = counts({}, false)
    const id = await deploy([canary(errors, { traffic: 50 })])
    await cluster.until('the gate', () => rolloutOf(id)?.stages?.[0]?.readyAt !== undefined)
    const weights = () =>
      cluster.traffic.table.routes[0]?.targets.map(({ weight, members }) => [weight, members.length])
    await cluster.until('the share', () => weights()?.length === 2)
    expect(weights()).toEqual([
      [1, 1],
      [19, 2],
    ])
    expect(cluster.traffic.routes()).toMatchObject([{ entrypoint: 'web', members: [{}, {}, {}] }])
    await cluster.operations.skipStage(id, call)
    await endOf(id)
    expect(weights()).toEqual([[1, 3]])
  })
})

describe('a share that grows', () => {
  it('reaches the gateways step by step, and ends at what it should be', async () => {
    const grow = { from: 100, overMs: 20_000 }
    const id = await deploy([{ name: 'growing', instances: 1, traffic: 500, grow, gates: [{ type: 'person' }] }])
    const share = () => {
      const [fresh, old] = cluster.traffic.table.routes[0]?.targets ?? []
      return old === undefined ? 0 : (fresh?.weight ?? 0) / ((fresh?.weight ?? 0) + (old.weight ?? 0))
    }
    await cluster.until('the first share', () => share() === 0.1)
    const seen = [share()]
    for (let ahead = 1; ahead <= 20; ahead++) {
      const known = share()
      cluster.aheadMs = ahead * 1100
      await cluster.operations.pauseRollout(id, call)
      expect(share()).toBe(known)
      await cluster.operations.resumeRollout(id, call)
      cluster.aheadMs += 1100 * ahead
      cluster.pools.mark(['shop/production'])
      await cluster.until('the next share', () => share() > known)
      seen.push(share())
    }
    expect([seen.length, seen.at(-1)]).toEqual([21, 0.5])
    expect(rolloutOf(id)?.message).toContain('waits for a person')
    await cluster.operations.continueRollout(id, call)
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({ state: 'succeeded', stages: [{ growth: { share: 500, steps: 20 } }, {}] })
  })
})

describe('a stage that is judged by Prometheus', () => {
  const asked: string[] = []
  const answers = (answer: QueryAnswer) => async (text: string) => {
    asked.push(text)
    return answer
  }
  beforeEach(() => {
    asked.length = 0
  })

  it('asks again and again with the rollout’s names, and goes on', async () => {
    cluster.ask = answers({ type: 'value', values: [0.2, 0.5] })
    const id = await deploy([canary(query)])
    await endOf(id)
    expect(rolloutOf(id)?.stages?.[0]?.gates).toMatchObject([
      { verdict: 'passed', message: expect.stringMatching(/: 0.5$/) },
    ])
    expect(new Set(asked)).toEqual(new Set(['bad{app="shop",release="v2",x="$y"}']))
    expect(asked.length).toBeGreaterThan(1)
  })

  it('goes back by the worst of what it says', async () => {
    cluster.ask = answers({ type: 'value', values: [0, 1] })
    const id = await deploy([canary(query)])
    await endOf(id)
    expect(rolloutOf(id)?.state).toBe('rolled-back')
  })

  it('never goes on while it is down, or none is configured; goes back where the gate says so', async () => {
    cluster.ask = answers({ type: 'none', message: 'it is down' })
    const id = await deploy([canary(query), canary({ ...query, onNoData: 'rollback' }, { name: 'next', instances: 2 })])
    await cluster.until('the gate', () => rolloutOf(id)?.stages?.[0]?.readyAt !== undefined)
    cluster.aheadMs = 60_000
    await cluster.until('no data', () => rolloutOf(id)?.message.includes('no data, it is down') === true)
    cluster.ask = undefined
    await cluster.operations.skipStage(id, call)
    await cluster.until('the gate', () => rolloutOf(id)?.stages?.[1]?.readyAt !== undefined)
    cluster.aheadMs = 120_000
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({
      state: 'rolled-back',
      failure: { reason: expect.stringContaining('no data, no Prometheus is configured (berth prometheus set URL)') },
    })
  })
})
