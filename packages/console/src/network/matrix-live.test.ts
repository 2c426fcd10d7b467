import type { FlowGroupEnd, FlowGroupView, MatrixPartyView } from '@berth/api/net-resources'
import { describe, expect, it } from 'vitest'
import { liveLevel, liveMatrix } from './matrix-live.ts'

const web: FlowGroupEnd = { kind: 'instance', name: 'shop/production/web' }
const worker: FlowGroupEnd = { kind: 'instance', name: 'shop/production/worker' }
const db: FlowGroupEnd = { kind: 'external', name: 'db' }
const outside: FlowGroupEnd = { kind: 'outside', name: '' }
const node: FlowGroupEnd = { kind: 'node', name: 'a' }
const group = (from: FlowGroupEnd, to: FlowGroupEnd, flows: number, allowed = true): FlowGroupView => ({
  ...{ from, to, flows, allowed, protocol: 'tcp', port: 80, bytes: 0, message: '' },
})
const party = (kind: MatrixPartyView['kind'], name: string): MatrixPartyView => ({
  ...{ kind, name, profiles: [], addresses: 1 },
})
const groups = [
  group(web, db, 3),
  group(web, db, 2, false),
  group(worker, db, 7),
  group(outside, web, 11),
  group(node, web, 40),
  group(db, node, 1),
]

describe('connections in the matrix', () => {
  it('are those of each two parties, and of how many rules of now drop', () => {
    const live = liveMatrix(groups, 'entrypoint')
    const [webs, dbs] = [party('instances', 'shop/production/web'), party('external', 'db')]
    expect(live.of(webs, dbs)).toEqual({ flows: 5, dropped: 2 })
    expect(live.of(dbs, webs)).toBeUndefined()
    expect(live.of(party('outside', ''), webs)).toEqual({ flows: 11, dropped: 0 })
    expect(live.ofNodes).toBe(41)
  })

  it('are added up for environments', () => {
    const live = liveMatrix(groups, 'pool')
    expect(live.of(party('instances', 'shop/production'), party('external', 'db'))).toEqual({ flows: 12, dropped: 2 })
  })

  it('are not those of somebody of the same name', () => {
    const live = liveMatrix([group(db, db, 1)], 'entrypoint')
    expect(live.of(party('instances', 'db'), party('external', 'db'))).toBeUndefined()
  })

  it.each([
    [1, 1],
    [9, 1],
    [10, 2],
    [99, 2],
    [100, 3],
    [100_000, 3],
  ])('%i are told at a glance', (flows, level) => expect(liveLevel({ flows, dropped: 0 })).toBe(level))
})
