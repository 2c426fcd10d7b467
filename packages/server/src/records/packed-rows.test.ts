import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import type { Change } from '../store/store.ts'
import { encodeRecord } from './record-codec.ts'
import { keyOf } from './record-kinds.ts'
import { instance } from './sample-records.testing.ts'
import { StateMirror } from './state-mirror.ts'
import { createTables, type Tables } from './tables.ts'

type Kind = 'instances' | 'statuses'

const samples = {
  instances: instance('any'),
  statuses: { id: 'any', node: 'a', phase: 'running', ready: true, restarts: 0 },
}
const text = fc.constantFrom('a', 'production', 'sim-12345678901', undefined)
const time = fc.constantFrom(0, 1, 1_764_000_000_123, -5, 0.5, undefined)
const address = fc.constantFrom('10.0.0.1', '255.255.255.255', '10.0.0.01', 'fe80::1', '', undefined)
const containerId = fc.constantFrom('0'.repeat(64), 'f0'.repeat(32), 'F0'.repeat(32), 'abc', undefined)
const granted = fc.constantFrom({ memoryBytes: 5 }, { memoryBytes: 5, cores: '1-2' }, { memoryBytes: 6 }, undefined)

/** A record of either kind, or that it is gone. */
const change = fc.record({
  id: fc.constantFrom('shop.production.web-1', 'shop.production.web-2', 'shop.production.job-1'),
  kind: fc.constantFrom<Kind>('instances', 'statuses'),
  isGone: fc.nat(4).map((n) => n === 0),
  more: fc.record({
    ...{ node: text, app: text, message: text, createdBy: text, createdAt: time, startedAt: time, pid: time },
    ...{ address, containerId, granted, waitsFor: fc.constantFrom(['x'], ['x', 'y'], undefined) },
  }),
})

const put = (kind: Kind, id: string, record: object, revision: number): Change => ({
  type: 'put',
  kv: {
    ...{ key: keyOf(kind, id), value: encodeRecord(kind, record as never) },
    ...{ createRevision: revision, modRevision: revision, version: 1 },
  },
})

interface Written {
  readonly record: Readonly<Record<string, unknown>>
  readonly revision: number
}

function expectAll(tables: Tables, kind: Kind, written: ReadonlyMap<string, Written>): void {
  const table = tables[kind]
  expect(table.size).toBe(written.size)
  expect(table.all()).toStrictEqual([...written.values()].map(({ record }) => record))
  for (const [id, { record, revision }] of written) {
    expect(table.get(id)).toStrictEqual(record)
    expect(table.modRevision(id)).toBe(revision)
  }
  for (const node of ['a', 'production', 'sim-12345678901', 'nowhere']) {
    const there = [...written.values()].flatMap(({ record }) => (record.node === node ? [record] : []))
    const found = table.byNode(node).sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(found).toStrictEqual(there.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1)))
  }
}

describe('records that are packed', () => {
  it('say what was written, whatever it is and in whatever order instances and statuses come and go', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 16 }), (changes) => {
        const tables = createTables()
        const mirror = new StateMirror(tables, silent)
        const written = { instances: new Map<string, Written>(), statuses: new Map<string, Written>() }
        for (const [index, { id, kind, isGone, more }] of changes.entries()) {
          const revision = index + 1
          const record = JSON.parse(JSON.stringify({ ...samples[kind], ...more, id }))
          const gone: Change = { type: 'delete', key: keyOf(kind, id), modRevision: revision }
          mirror.apply({ revision, changes: [isGone ? gone : put(kind, id, record, revision)] })
          if (isGone) written[kind].delete(id)
          else written[kind].set(id, { record, revision })
          for (const each of ['instances', 'statuses'] as const) expectAll(tables, each, written[each])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('are told to listeners as they were and as they are', () => {
    const mirror = new StateMirror(createTables(), silent)
    const told: unknown[] = []
    mirror.subscribe(({ before, after }) => told.push([before, after]))
    const first = { ...samples.statuses, startedAt: 5 }
    const second = { ...samples.statuses, startedAt: 6, containerId: '0'.repeat(64) }
    mirror.apply({ revision: 1, changes: [put('statuses', 'any', first, 1)] })
    mirror.apply({ revision: 2, changes: [put('statuses', 'any', second, 2)] })
    mirror.apply({ revision: 3, changes: [{ type: 'delete', key: keyOf('statuses', 'any'), modRevision: 3 }] })
    expect(told).toStrictEqual([
      [undefined, first],
      [first, second],
      [second, undefined],
    ])
  })

  it('are there once for as many as say the same', () => {
    const tables = createTables()
    const mirror = new StateMirror(tables, silent)
    for (let n = 0; n < 2000; n++) {
      const record = { ...samples.instances, id: `shop.production.web-${n}`, ordinal: n, waitsFor: ['x'] }
      mirror.apply({ revision: n + 1, changes: [put('instances', record.id, record, n + 1)] })
    }
    const [first, last] = [
      tables.instances.get('shop.production.web-0'),
      tables.instances.get('shop.production.web-1999'),
    ]
    expect(last?.waitsFor).toBe(first?.waitsFor)
    expect([first?.ordinal, last?.ordinal]).toEqual([0, 1999])
  })
})
