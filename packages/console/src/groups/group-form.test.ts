import type { GroupView } from '@berth/api/scheduling-resources'
import { describe, expect, it } from 'vitest'
import { changesOf, emptyForm, formOf, type GroupForm, newRulesOf, rulesOf } from './group-form.ts'

const group: GroupView = {
  name: 'fast',
  cpu: 'bound',
  shareBase: 10,
  maxSharedCores: 4,
  oversellMilli: 1290,
  quota: { cpuMilli: 12_300, memoryBytes: 512 * 1024 ** 3 },
  allowedOwners: ['Ana', 'Build pipeline'],
  memoryApproval: { aboveBytes: 64 * 1024 ** 3, approvers: ['Ana'] },
  rebalanceOnJoin: { disruption: 2 },
  images: { takes: 4, bytesPerSecond: 50 * 1024 ** 2 },
  nodes: 1,
  cpuMilli: 1,
  cpuGivenMilli: 1,
  memoryBytes: 1,
  memoryGivenBytes: 1,
  instances: 1,
  createdAt: 1,
  createdBy: 'token:dev',
}

describe('the rules of a group', () => {
  it('are in the form as they were, and back', () => {
    const form = formOf(group)
    expect(form).toMatchObject({ oversell: '1.29', quotaCpu: '12.3', quotaMemory: '512Gi', approveAbove: '64Gi' })
    expect(rulesOf(form)).toEqual({
      cpu: 'bound',
      shareBase: 10,
      maxSharedCores: 4,
      oversellMilli: 1290,
      quota: group.quota,
      allowedOwners: group.allowedOwners,
      memoryApproval: group.memoryApproval,
      rebalanceOnJoin: { disruption: 2 },
      images: { takes: 4, gives: null, bytesPerSecond: 50 * 1024 ** 2 },
    })
    expect(changesOf(form, form)).toEqual({})
  })

  it.each<[string, Partial<GroupForm>, object]>([
    ['a quota that goes', { quotaCpu: '', quotaMemory: '' }, { quota: null }],
    ['one of two quotas', { quotaMemory: '' }, { quota: { cpuMilli: 12_300 } }],
    ['everybody', { limited: false }, { allowedOwners: null }],
    ['admins only', { owners: ' , ' }, { allowedOwners: [] }],
    ['no approval', { approveAbove: '' }, { memoryApproval: null }],
    ['nothing that moves by itself', { rebalanceOnJoin: '' }, { rebalanceOnJoin: null }],
    ['no cores owned', { cpu: 'shared' }, { cpu: 'shared', maxSharedCores: null }],
    [
      'images as usual',
      { images: { takes: '', gives: '', rate: '' } },
      { images: { takes: null, gives: null, bytesPerSecond: null } },
    ],
    ['no oversell', { oversell: '' }, { oversellMilli: 1000 }],
  ])('say only what differs: %s', (_, change, said) =>
    expect(changesOf(formOf(group), { ...formOf(group), ...change })).toEqual(said),
  )

  it('of a new one leave out what is not said', () =>
    expect(newRulesOf({ ...emptyForm, name: 'x' })).toEqual({ cpu: 'bound', shareBase: 10, oversellMilli: 1000 }))

  it.each([
    [{ quotaCpu: '1,5' }, /decimals come after a point; write 1.5/],
    [{ quotaMemory: '64' }, /needs a unit/],
    [{ approveAbove: 'lots' }, /is not a size/],
    [{ images: { takes: '', gives: '', rate: 'fast' } }, /is not a size/],
  ])('refuse %j with what to write', (part, message) =>
    expect(() => rulesOf({ ...emptyForm, ...part })).toThrow(message),
  )
})
