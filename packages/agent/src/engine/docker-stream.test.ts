import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { demultiplex, jsonLines, logLines, sinceAfter } from './docker-stream.ts'

const frame = (channel: number, text: string): Buffer => {
  const payload = Buffer.from(text)
  const header = Buffer.alloc(8)
  header[0] = channel
  header.writeUInt32BE(payload.length, 4)
  return Buffer.concat([header, payload])
}

/** The same bytes in pieces of any size, as a socket may give them. */
const inPieces = (bytes: Buffer, size: number): Readable =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    ),
  )

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('demultiplex', () => {
  it('gives every byte to its stream, however it is cut', async () => {
    const frames = fc.array(fc.record({ channel: fc.constantFrom(1, 2), text: fc.string({ maxLength: 50 }) }), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 64 }), async (list, size) => {
        const bytes = Buffer.concat(list.map(({ channel, text }) => frame(channel, text)))
        const got = await collect(demultiplex(inPieces(bytes, size)))
        for (const [channel, stream] of [
          [1, 'stdout'],
          [2, 'stderr'],
        ] as const) {
          const sent = list.filter((each) => each.channel === channel).map(({ text }) => text)
          const received = got.filter((each) => each.stream === stream).map(({ data }) => data)
          expect(Buffer.concat(received).toString()).toBe(sent.join(''))
        }
      }),
    )
  })
})

describe('logLines', () => {
  const stamp = (nanos: number): string => `2026-01-02T03:04:05.${String(nanos).padStart(9, '0')}Z`

  it.each([1, 3, 7, 1000])('puts lines together from pieces of %i bytes', async (size) => {
    const bytes = Buffer.concat([
      frame(1, `${stamp(1)} one\n`),
      frame(2, `${stamp(2)} bad\n`),
      // A line longer than Docker's messages: the second part has a time stamp of its own.
      frame(1, `${stamp(3)} begin-`),
      frame(1, `${stamp(4)} end\n`),
      frame(1, `${stamp(5)} \n`),
      frame(1, `${stamp(6)} last without an end`),
    ])
    const lines = await collect(logLines(inPieces(bytes, size)))
    expect(lines.map(({ stream, line, position }) => [stream, line, position])).toEqual([
      ['stdout', 'one', stamp(1)],
      ['stderr', 'bad', stamp(2)],
      ['stdout', 'begin-end', stamp(3)],
      ['stdout', '', stamp(5)],
      ['stdout', 'last without an end', stamp(6)],
    ])
    expect(lines[0]?.at).toBe(Date.parse('2026-01-02T03:04:05Z'))
  })
})

describe('sinceAfter', () => {
  it.each([
    ['2026-01-02T03:04:05.000000001Z', '1767323045.000000002'],
    ['2026-01-02T03:04:05.999999999Z', '1767323046.000000000'],
    ['2026-01-02T03:04:05.5Z', '1767323045.500000001'],
    ['2026-01-02T03:04:05Z', '1767323045.000000001'],
  ])('%s → %s', (position, since) => {
    expect(sinceAfter(position)).toBe(since)
  })
})

describe('jsonLines', () => {
  it('reads documents over the edges of chunks', async () => {
    const text = '{"a":1}\n{"b":"ü"}\n\n{"c":3}'
    expect(await collect(jsonLines(inPieces(Buffer.from(text), 5)))).toEqual([{ a: 1 }, { b: 'ü' }, { c: 3 }])
  })
})
