import type { BuildLimits, RolloutSpec } from '../model/app-spec.ts'
import type { PlacementSpec } from '../model/placement-spec.ts'

const mebibyte = 1 << 20
const gibibyte = 1 << 30
const secondMs = 1000
const minuteMs = 60_000

/**
 * What counts where `berth.yaml` says nothing. `docs/guides/berth-yaml.md` repeats this table; a test compares the two. Resources are
 * not here: what an instance gets by default depends on its node (`schedule/`).
 */
export const specDefaults = {
  type: 'service',
  replicas: 1,
  protocol: 'tcp',
  configMode: 0o444,
  restart: { service: 'always', job: 'never' },
  init: false,
  stopSignal: 'SIGTERM',
  stopGraceMs: 10 * secondMs,
  drainMs: 30 * secondMs,
  readyTimeoutMs: 60 * secondMs,
  jobTimeoutMs: 0,
  hookTimeoutMs: 30 * secondMs,
  probe: { delayMs: 0, intervalMs: secondMs, timeoutMs: secondMs, successes: 1, failures: 3 },
  logs: { maxBytes: 10 * mebibyte, maxFiles: 3 },
  route: { path: '/', tls: 'on', stripPath: false, timeoutMs: 60 * secondMs, maxBodyBytes: 100 * mebibyte },
  /** `reschedule` is `never` for jobs and where data stays on the node: `placementOf`. */
  placement: {
    strategy: { type: 'spread' },
    where: [],
    prefer: [],
    apart: [],
    near: [],
    max: {},
    tolerate: [],
    reschedule: { afterMs: 60 * secondMs },
  } satisfies PlacementSpec,
  /** Of wishes: `prefer`, and `soft: true`. */
  weight: 10,
  priority: 0,
  schedule: { zone: 'UTC', overlap: 'skip', history: 10, graceMs: 60 * minuteMs },
  rollout: {
    surge: { percent: 25 },
    unavailable: 0,
    settleMs: 0,
    before: [],
    imageTimeoutMs: 10 * minuteMs,
  } satisfies RolloutSpec,
  /** Of `strategy: canary` and `blue-green`. */
  canaryMs: 5 * minuteMs,
  keepMs: 10 * minuteMs,
  gate: { overMs: 5 * minuteMs, requests: 20 },
  hook: { urlTimeoutMs: 10_000, jobTimeoutMs: 10 * minuteMs },
  buildLimits: {
    cpuMilli: 2000,
    memoryBytes: 4 * gibibyte,
    timeoutMs: 30 * minuteMs,
    network: 'default',
  } satisfies BuildLimits,
} as const
