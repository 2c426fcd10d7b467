import type { Client, LogLine } from '@berth/api'
import { BerthError } from '@berth/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { followLogs, ShownLines } from './follow-logs.ts'
import { createStyle } from './output/style.ts'

const lineOf = (instance: string, at: number, line: string): LogLine => ({ instance, at, stream: 'stdout', line })

describe('lines of a log that is opened anew', () => {
  it('come once each, whatever comes again, and with repeats of their own', () => {
    const entry = fc.record({
      instance: fc.constantFrom('a', 'b'),
      step: fc.nat({ max: 2 }),
      text: fc.constantFrom('x', 'y'),
    })
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 40 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 4 }),
        (entries, cuts) => {
          const clock = new Map<string, number>()
          const log = entries.map(({ instance, step, text }) => {
            clock.set(instance, (clock.get(instance) ?? 0) + step)
            return lineOf(instance, clock.get(instance) ?? 0, text)
          })
          const shown = new ShownLines()
          const out: LogLine[] = []
          for (const until of [...cuts, log.length]) {
            shown.reopened()
            for (const line of log.slice(0, until)) if (shown.isNew(line)) out.push(line)
          }
          const of = (lines: readonly LogLine[], name: string) => lines.filter(({ instance }) => instance === name)
          for (const name of ['a', 'b']) expect(of(out, name)).toEqual(of(log, name))
        },
      ),
    )
  })
})

describe('berth logs -f', () => {
  it('goes on at the next server where the last one ended, and asks for no more than it has to', async () => {
    const asked: unknown[] = []
    const streams = [
      [lineOf('web-1', 100_000, 'one'), lineOf('web-1', 100_001, 'two')],
      [lineOf('web-1', 100_001, 'two'), lineOf('web-1', 100_001, 'two'), lineOf('web-1', 100_002, 'three')],
    ]
    const client = {
      async *lines(_: string, { query }: { query: unknown }) {
        asked.push(query)
        const lines = streams.shift()
        if (lines === undefined) throw new BerthError('instance.not-found', 'enough')
        yield* lines
        throw new BerthError('server.gone', 'broke off', { retryable: true })
      },
    } as unknown as Client
    const notes: string[] = []
    const socket = (path: string) => ({ type: 'socket' as const, path })
    const follower = {
      client,
      out: { style: createStyle(false), note: (text: string) => void notes.push(text) },
      servers: { endpoints: [socket('a'), socket('b')], answered: () => undefined },
    } as unknown as Parameters<typeof followLogs>[0]
    const lines: string[] = []
    const reading = (async () => {
      const log = followLogs(follower, { app: 'shop', tail: '100' }, new AbortController().signal)
      for await (const { line } of log) lines.push(line)
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(lines).toEqual(['one', 'two', 'two', 'three'])
    expect(asked).toMatchObject([
      { app: 'shop', tail: '100', follow: 'true' },
      { app: 'shop', sinceMs: '90001', follow: 'true' },
      { app: 'shop', sinceMs: '90002', follow: 'true' },
    ])
    expect(notes[0]).toContain('asking the next server')
  })
})
