import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFromAgent, readBySchema } from './from-agent.ts'
import { isPlainLine } from './plain-line.ts'

const odd = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 0.5, 2 ** 60, '', null, 'x'.repeat(201), {}, []))
const maybe = <T>(usual: fc.Arbitrary<T>) => fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd })
const time = maybe(fc.nat())
const text = maybe(fc.string())

const status = fc.record(
  {
    ...{ id: text, createdAt: time, node: text, phase: maybe(fc.constantFrom('assigned', 'running', 'ended')) },
    ...{ ready: maybe(fc.boolean()), readyAt: time, containerId: text, pid: time, address: text, restarts: time },
    ...{ startedAt: time, endedAt: time, message: text, messageCode: text },
    logTail: fc.array(fc.string(), { maxLength: 2 }),
    lastExit: fc.record({ code: fc.nat(), outOfMemory: fc.boolean(), at: fc.nat() }),
    ...{ newer: odd, toString: odd },
  },
  { requiredKeys: ['id', 'node', 'phase', 'ready', 'restarts'] },
)
const line = fc.oneof(
  fc.record({ type: fc.constant('status'), instances: maybe(fc.array(status, { maxLength: 3 })) }),
  fc.record(
    {
      ...{ type: fc.constant('pong'), at: maybe(fc.double({ noNaN: true })), newer: odd },
      use: maybe(fc.record({ cpuMilli: maybe(fc.nat()), memoryBytes: maybe(fc.nat()) }, { requiredKeys: [] })),
    },
    { requiredKeys: ['type'] },
  ),
  odd,
)

describe('a plain line', () => {
  it('is what the schema lets pass as it is', () => {
    let plain = 0
    fc.assert(
      fc.property(line, (made) => {
        const document: unknown = JSON.parse(JSON.stringify(made) ?? 'null')
        if (!isPlainLine(document)) return
        plain += 1
        expect(readBySchema(document)).toEqual(document)
      }),
      { numRuns: 3_000 },
    )
    expect(plain).toBeGreaterThan(100)
  })

  it('is most of what agents say', () => {
    const running = { id: 'shop.production.web-1', node: 'a', phase: 'running', ready: true, restarts: 0 }
    expect(isPlainLine({ type: 'status', instances: [running] })).toBe(true)
    expect(isPlainLine({ type: 'pong', at: 5, use: { cpuMilli: 3, memoryBytes: 4 } })).toBe(true)
    expect(isPlainLine({ type: 'pong' })).toBe(false)
    const { node: _, ...less } = running
    expect(isPlainLine({ type: 'status', instances: [less] })).toBe(false)
  })

  it('is none that speaks of networks, which the schema lets pass', () => {
    const networks = [{ name: 'lan', address: '192.0.2.7' }, { name: 'storage' }]
    const inside = { id: 'shop.production.web-1', node: 'a', phase: 'running', ready: true, restarts: 0, networks }
    const document = { type: 'status', instances: [inside] }
    expect(isPlainLine(document)).toBe(false)
    expect(parseFromAgent(JSON.stringify(document))).toEqual(document)
  })

  it('of a number that is none is refused by the schema', () => {
    expect(() => parseFromAgent('{"type":"pong","at":1e999}')).toThrow(/at/)
    expect(() => parseFromAgent('{"type":"status","instances":[{"__proto__":1}]}')).toThrow(/instances/)
  })
})
