import type { PlanView, RehearsalView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { formatRehearsal } from './rehearsal.ts'

const gibibyte = 1024 ** 3
const plain: RehearsalView = { stages: [], end: 'done', unplaced: [], unknown: [], kept: [] }
const textOf = (over: Partial<RehearsalView>): string =>
  formatRehearsal({ rehearsal: { ...plain, ...over } } as PlanView).join('\n')

const peak = { cpuMilli: 2500, memoryBytes: 3 * gibibyte, ofCpuMilli: 4000, ofMemoryBytes: 8 * gibibyte }

describe('places by stage', () => {
  it('are a table for each: who comes, who goes, and what is given out then', () => {
    const stages: RehearsalView['stages'] = [
      {
        name: 'canary',
        created: [{ entrypoint: 'web', node: 'node-a', isNew: true, count: 1 }],
        left: [{ entrypoint: 'web', node: 'node-b', isNew: false, count: 2 }],
        serving: { web: { lowest: 3, highest: 4 }, worker: { lowest: 1, highest: 1 } },
        peaks: [{ node: 'node-a', ...peak }],
      },
      { name: 'all', created: [], left: [], serving: {}, peaks: [] },
    ]
    expect(textOf({ stages }).split('\n')).toEqual([
      '',
      'places by stage, as long as nothing else happens',
      '  1. canary: web 3 to 4 in traffic, worker 1 in traffic',
      '     NODE    COMES    GOES        CORES AT THE PEAK  MEMORY AT THE PEAK',
      '     node-a  new web  -           2.5 of 4           3Gi of 8Gi',
      '     node-b  -        old web ×2  -                  -',
      '  2. all; nothing comes or goes',
      '',
      'not known',
      '  what others want meanwhile, and which instance is ready first: both may move places',
    ])
  })

  it('say what finds none, what is not gone through, and where kept addresses can be', () => {
    const unplaced = [{ entrypoint: 'web', count: 2, why: '2 nodes: 2 too little CPU' }]
    expect(textOf({ end: 'stuck', unplaced })).toContain('2 of web without a place: 2 nodes: 2 too little CPU')
    expect(textOf({ end: 'long', unknown: ['mixed', 'silent'] })).toContain('the rest is not gone through')
    expect(textOf({ end: 'unknown', unknown: ['gang'] })).toBe(
      '\nplaces by stage\n  not gone through: an entrypoint with gang: true starts all at once or not at all',
    )
    const kept = [
      { entrypoint: 'db', slot: 1, address: '10.77.1.5', node: 'node-a', home: 'node-a', onlyThere: 'no other can' },
      { entrypoint: 'db', slot: 2, address: '10.77.1.6' },
    ]
    expect(textOf({ kept })).toMatch(
      /db 1 +10\.77\.1\.5 +node-a +node-a only: no other can\n +db 2 +10\.77\.1\.6 +- +any node of its range/,
    )
  })

  it('are not told where nothing new comes', () => expect(formatRehearsal({} as PlanView)).toEqual([]))
})
