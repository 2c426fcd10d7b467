import { describe, expect, it } from 'vitest'
import { type Approval, defaultGroup, type NodeGroup } from '../model/node-group.ts'
import { mayApprove, mayUseGroup, needsApproval, quotaRefusal } from './group-rules.ts'

const gibibyte = 1024 ** 3
const group = (over: Partial<NodeGroup>): NodeGroup => ({ ...defaultGroup, name: 'fast', ...over })

describe('may use it', () => {
  it.each([
    [undefined, { isAdmin: false, owner: 'ana' }, true],
    [undefined, { isAdmin: false }, true],
    [['ana'], { isAdmin: false, owner: 'ana' }, true],
    [['ana'], { isAdmin: false, owner: 'bob' }, false],
    [['ana'], { isAdmin: false }, false],
    [['ana'], { isAdmin: true }, true],
    [[], { isAdmin: false, owner: 'ana' }, false],
  ])('allowed to %j: %j → %s', (allowedOwners, caller, expected) => {
    expect(mayUseGroup(group(allowedOwners === undefined ? {} : { allowedOwners }), caller)).toBe(expected)
  })
})

describe('memory that waits for a person', () => {
  const careful = group({ memoryApproval: { aboveBytes: gibibyte, approvers: ['ana'] } })
  const approval = (over: Partial<Approval>): Approval => ({
    ...{ app: 'shop', pool: 'production', entrypoint: 'web', group: 'fast', memoryBytes: 2 * gibibyte },
    ...{ state: 'approved', requestedAt: 0, requestedBy: 'token:ci', ...over },
  })

  it.each<[number | undefined, Approval | undefined, boolean]>([
    [undefined, undefined, false],
    [gibibyte, undefined, false],
    [gibibyte + 1, undefined, true],
    [2 * gibibyte, approval({}), false],
    [2 * gibibyte + 1, approval({}), true],
    [2 * gibibyte, approval({ state: 'waiting' }), true],
    [2 * gibibyte, approval({ state: 'denied' }), true],
    [2 * gibibyte, approval({ group: 'slow' }), true],
  ])('%d bytes with %j → %s', (memoryBytes, given, expected) => {
    expect(needsApproval(careful, memoryBytes, given)).toBe(expected)
    expect(needsApproval(group({}), memoryBytes, given)).toBe(false)
  })

  it('is approved by those who are named, and by admins', () => {
    expect(mayApprove(careful, { isAdmin: false, owner: 'ana' })).toBe(true)
    expect(mayApprove(careful, { isAdmin: false, owner: 'bob' })).toBe(false)
    expect(mayApprove(careful, { isAdmin: true })).toBe(true)
    expect(mayApprove(group({}), { isAdmin: false, owner: 'ana' })).toBe(false)
  })
})

describe('the quota', () => {
  const small = group({ quota: { cpuMilli: 16_000, memoryBytes: 4 * gibibyte } })
  it.each([
    [{ cpuMilli: 15_000, memoryBytes: 0 }, { cpuMilli: 1000, memoryBytes: 0 }, undefined],
    [
      { cpuMilli: 15_500, memoryBytes: 0 },
      { cpuMilli: 1000, memoryBytes: 0 },
      'group fast: 15.5 of 16 cores of its quota are given out, 1 more asked for',
    ],
    [{ cpuMilli: 20_000, memoryBytes: 0 }, { cpuMilli: 0, memoryBytes: gibibyte }, undefined],
    [
      { cpuMilli: 0, memoryBytes: 3 * gibibyte },
      { cpuMilli: 0, memoryBytes: 2 * gibibyte },
      'group fast: 3Gi of 4Gi memory of its quota are given out, 2Gi more asked for',
    ],
  ])('given %j, asked %j', (given, asked, expected) => {
    expect(quotaRefusal(small, given, asked)).toBe(expected)
    expect(quotaRefusal(group({}), given, asked)).toBeUndefined()
  })
})
