import type { PoolView } from '@berth/api/app-resources'
import type { PoolTrafficView } from '@berth/api/traffic-resources'
import type { MockStore } from './mock-store.ts'

const slotMs = 5_000
const noErrors = { errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 }

/** 300 requests a second, which go to the new release as its instances come. Only pools with a route have any. */
export function poolTraffic(
  store: MockStore,
  { app, name, urls, release = 'v1' }: PoolView,
  query: Readonly<Record<string, string>>,
): PoolTrafficView {
  const now = Date.now()
  const toMs = Number(query.toMs ?? now)
  const fromMs = Number(query.fromMs ?? toMs - 300_000)
  const stepMs = Number(query.stepMs ?? slotMs)
  const rollouts = store.all('listRollouts').filter((each) => each.app === app && each.pool === name)
  const rollout = rollouts.toSorted((a, b) => b.createdAt - a.createdAt)[0]
  const count = urls.length === 0 ? 0 : Math.max(0, Math.floor((Math.min(toMs, now) - fromMs) / stepMs))
  const steps = Array.from({ length: count }, (_, place) => {
    const atMs = fromMs + place * stepMs
    const wave = 1 + Math.sin(atMs / 40_000) / 8
    const share = rollout === undefined ? 0 : shareAt(atMs, rollout.createdAt, rollout.endedAt ?? now + 60_000)
    const of = (generation: number, id: string, part: number, p95Ms: number) => ({
      ...{ generation, release: id, requests: 300 * wave * part * (stepMs / 1_000), ...noErrors, p95Ms: p95Ms * wave },
    })
    return {
      atMs,
      generations: [
        ...(share < 1 ? [of(3, rollout?.from ?? release, 1 - share, 24)] : []),
        ...(share > 0 ? [of(4, rollout?.to ?? release, share, 19)] : []),
      ],
    }
  })
  const requests = steps.reduce((sum, { generations }) => sum + generations.reduce((a, b) => a + b.requests, 0), 0)
  return { fromMs, toMs, all: { requests, ...noErrors }, generations: [], steps, knownFromMs: 0, knownToMs: now }
}

const shareAt = (atMs: number, from: number, to: number): number =>
  Math.round(Math.min(1, Math.max(0, (atMs - from) / Math.max(1, to - from))) * 10) / 10
