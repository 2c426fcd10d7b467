import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import type { Change } from '../store/store.ts'
import { encodeRecord } from './record-codec.ts'
import { keyOf } from './record-kinds.ts'
import { instance } from './sample-records.testing.ts'
import { StateMirror } from './state-mirror.ts'
import { createTables } from './tables.ts'

const samples = {
  instances: instance('any'),
  statuses: { id: 'any', node: 'a', phase: 'running', ready: true, restarts: 0 },
}

const put = (kind: 'instances' | 'statuses', id: string, record: object, revision: number): Change => ({
  type: 'put',
  kv: {
    ...{ key: keyOf(kind, id), value: encodeRecord(kind, record as never) },
    ...{ createRevision: revision, modRevision: revision, version: 1 },
  },
})

describe('records that share their texts', () => {
  it('say what was written, in whatever order instances and statuses come', () => {
    const id = fc.constantFrom('shop.production.web-1', 'shop.production.web-2')
    const text = fc.constantFrom('a', 'production', 'sim-12345678901', undefined)
    const change = fc.record({
      id,
      kind: fc.constantFrom('instances' as const, 'statuses' as const),
      more: fc.record({ node: text, address: text, app: text, message: text, createdBy: text }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const tables = createTables()
        const mirror = new StateMirror(tables, silent)
        const last = new Map<string, object>()
        for (const [index, { id: named, kind, more }] of changes.entries()) {
          const written: object = JSON.parse(JSON.stringify({ ...samples[kind], ...more, id: named }))
          mirror.apply({ revision: index + 1, changes: [put(kind, named, written, index + 1)] })
          last.set(`${kind} ${named}`, written)
          for (const [key, record] of last) {
            const [kindOf = '', idOf = ''] = key.split(' ')
            expect(tables[kindOf as typeof kind].get(idOf)).toStrictEqual(record)
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})
