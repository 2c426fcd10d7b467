import { expect, it } from 'vitest'
import { compactionTarget, type RevisionSample } from './auto-compaction.ts'

const policy = { keepMs: 100, keepRevisions: 50 }
const samples: RevisionSample[] = [
  { revision: 10, atMs: 0 },
  { revision: 20, atMs: 40 },
  { revision: 30, atMs: 80 },
]

it.each<[string, readonly RevisionSample[], RevisionSample, number]>([
  ['no sample yet', [], { revision: 30, atMs: 500 }, 0],
  ['all samples young', samples, { revision: 31, atMs: 90 }, 0],
  ['the newest sample that is old enough', samples, { revision: 40, atMs: 150 }, 20],
  ['exactly old enough', samples, { revision: 40, atMs: 180 }, 30],
  ['too many revisions in a short time', samples, { revision: 99, atMs: 90 }, 49],
  ['both, the higher', samples, { revision: 71, atMs: 150 }, 21],
])('compacts to what both bounds let go: %s', (_what, past, now, target) => {
  expect(compactionTarget(past, now, policy)).toBe(target)
})
