import type { GroupView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { parseRules } from './groups.ts'

const before = {
  quota: { cpuMilli: 8000, memoryBytes: 1024 },
  memoryApproval: { aboveBytes: 1024, approvers: ['ana'] },
} as GroupView

describe('rules of a node group', () => {
  it.each([
    [{}, {}],
    [
      { cpu: 'bound', shareBase: '100', maxSharedCores: '2', oversell: '1.5' },
      { cpu: 'bound', shareBase: 100, maxSharedCores: 2, oversellMilli: 1500 },
    ],
    [
      { maxSharedCores: 'none', allow: 'none' },
      { maxSharedCores: null, allowedOwners: null },
    ],
    [{ allow: 'ana, bob,' }, { allowedOwners: ['ana', 'bob'] }],
    [{ quotaCpu: '16' }, { quota: { cpuMilli: 16_000, memoryBytes: 1024 } }],
    [{ quotaMemory: 'none' }, { quota: { cpuMilli: 8000 } }],
    [{ quotaCpu: 'none', quotaMemory: 'none' }, { quota: null }],
    [{ approveAbove: '2Gi' }, { memoryApproval: { aboveBytes: 2 ** 31, approvers: ['ana'] } }],
    [{ approvers: 'bob' }, { memoryApproval: { aboveBytes: 1024, approvers: ['bob'] } }],
    [{ approveAbove: 'none' }, { memoryApproval: null }],
  ])('%j', (options, expected) => expect(parseRules(options, before)).toEqual(expected))

  it.each([
    [{ cpu: 'fast' }, '--cpu fast: write bound or shared'],
    [{ shareBase: '5' }, '--share-base 5: write 10 or 100 or 1000'],
    [{ quotaCpu: '16m' }, '--quota-cpu: "16m": CPU is written in cores; write 0.016'],
    [{ quotaMemory: '16' }, '--quota-memory: 16: a size needs a unit; write 16Mi'],
    [{ maxSharedCores: 'many' }, 'many is no whole number'],
    [{ approvers: 'ana' }, 'of what? say --approve-above SIZE as well'],
  ])('mistakes: %j', (options, message) => expect(() => parseRules(options, undefined)).toThrow(message))
})
