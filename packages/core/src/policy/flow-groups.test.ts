import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AddressOwner } from './address-owners.ts'
import { groupFlows, isProbe, type JudgedFlow } from './flow-groups.ts'

const instance = (n: number, entrypoint = 'shop/production/web'): AddressOwner => ({
  ...{ kind: 'instance', name: `web-${n}`, address: `10.77.1.${n}`, node: 'a', entrypoint },
})
const node: AddressOwner = { kind: 'node', name: 'a', address: '10.77.1.1', node: 'a' }
const outside = (address: string): AddressOwner => ({ kind: 'outside', name: address, address })
const flow = (from: AddressOwner, to: AddressOwner, more: Partial<JudgedFlow> = {}): JudgedFlow => ({
  ...{ flow: { protocol: 'tcp', destinationPort: 80, bytes: 10 }, from, to, allowed: true, message: '', ...more },
})

describe('groupFlows', () => {
  it('joins what is between the same two, and tells apart what rules say of it', () => {
    const db = instance(9, 'shop/production/db')
    const denied = { allowed: false, message: 'no rule allows it' }
    const found = groupFlows([
      ...[flow(outside('192.0.2.1'), instance(2)), flow(outside('192.0.2.2'), instance(3))],
      ...[flow(instance(2), db), flow(instance(3), db, denied), flow(instance(4), db), flow(instance(5), db)],
    ])
    const web = { kind: 'instance', name: 'shop/production/web' }
    const toDb = { from: web, to: { kind: 'instance', name: 'shop/production/db' }, protocol: 'tcp', port: 80 }
    expect(found).toEqual([
      { ...toDb, flows: 3, bytes: 30, allowed: true, message: '' },
      {
        from: { kind: 'outside', name: '' },
        to: web,
        protocol: 'tcp',
        port: 80,
        flows: 2,
        bytes: 20,
        allowed: true,
        message: '',
      },
      { ...toDb, flows: 1, bytes: 10, ...denied },
    ])
  })

  it('loses none and counts none twice', () => {
    const somebody = fc.constantFrom(instance(1), instance(2), node, outside('192.0.2.1'), outside('192.0.2.2'))
    fc.assert(
      fc.property(fc.array(fc.tuple(somebody, somebody)), (ends) => {
        const groups = groupFlows(ends.map(([from, to]) => flow(from, to)))
        expect(groups.reduce((sum, { flows }) => sum + flows, 0)).toBe(ends.length)
        expect(groups.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(10 * ends.length)
      }),
    )
  })
})

describe('isProbe', () => {
  it.each([
    ['a probe that is over', node, instance(2), 'TIME_WAIT', true],
    ['one that stands', node, instance(2), 'ESTABLISHED', false],
    ['one that nobody answers', node, instance(2), 'SYN_SENT', false],
    ['of another node', { ...node, name: 'b', node: 'b' }, instance(2), 'TIME_WAIT', false],
    ['of an instance', instance(3), instance(2), 'TIME_WAIT', false],
    ['of an instance to its node', instance(3), node, 'CLOSE', false],
    ['of UDP', node, instance(2), undefined, false],
  ] as const)('%s', (_, from, to, state, expected) => {
    expect(isProbe(state === undefined ? {} : { state }, from, to)).toBe(expected)
  })
})
