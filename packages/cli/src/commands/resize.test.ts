import type { ResizeView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { createStyle } from '../output/style.ts'
import { formatResize } from './resize.ts'

const gibibyte = 1024 ** 3
const view: ResizeView = {
  ...{ app: 'shop', pool: 'production', entrypoint: 'web', changes: true, problems: [] },
  before: { cpuMilli: 1000 },
  after: { cpuMilli: 1500, memoryBytes: gibibyte },
  written: { cpuMilli: 1000 },
  instances: [
    {
      ...{ instance: 'shop.production.web-1', name: 'web-1', node: 'n1', how: 'in-place' },
      before: { cpuMilli: 1000, memoryBytes: 8 * gibibyte, cores: '3' },
      after: { cpuMilli: 1500, memoryBytes: gibibyte, cores: '3,5:500' },
    },
    {
      ...{ instance: 'shop.production.web-2', name: 'web-2', node: 'n2', how: 'replace', to: 'n4', before: {} },
      reason: 'n2 has too little CPU (0.4 of 1.5)',
    },
    { instance: 'shop.production.web-3', name: 'web-3', how: 'stays', before: {}, reason: 'it has no node yet' },
    { instance: 'shop.production.web-4', name: 'web-4', node: 'n1', how: 'unchanged', before: {} },
  ],
}
const plain = createStyle(false)

describe('what becomes of each instance', () => {
  it('is shown as a diff', () => {
    expect(formatResize(view, plain).split('\n')).toEqual([
      'shop/web@production: cpu 1 → 1.5, memory nothing → 1Gi',
      '  ~ web-1 on n1: in place: cpu 1 → 1.5, cores 3 → 3,5:500, memory 8Gi → 1Gi',
      '  ~ web-2 on n2: replaced by one on n4: n2 has too little CPU (0.4 of 1.5)',
      '    web-3: stays as it is: it has no node yet',
      '    web-4 on n1: as it is',
    ])
  })

  it('with what is in the way below', () => {
    const nowhere = { ...view.instances[0]!, how: 'nowhere', reason: 'n1 is full' } as const
    const shown = formatResize({ ...view, instances: [nowhere], problems: ['web-1: n1 is full'] }, plain)
    expect(shown.split('\n').slice(1)).toEqual([
      '  ✘ web-1 on n1: n1 is full',
      '',
      'in the way',
      '  ✘ web-1: n1 is full',
    ])
  })
})
