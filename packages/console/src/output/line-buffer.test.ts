import type { LogLine } from '@berth/api/endpoints'
import { describe, expect, it } from 'vitest'
import { LineBuffer, plain } from './line-buffer.ts'

const line = (at: number, text: string): LogLine => ({ at, stream: 'stdout', line: text })

describe('LineBuffer', () => {
  it('keeps the newest lines under numbers that stay', () => {
    const buffer = new LineBuffer(3)
    buffer.append([line(1, 'a'), line(2, 'b')])
    buffer.append([line(3, 'c'), line(4, 'd')])
    expect(buffer.lines.map(({ number, line: text }) => [number, text])).toEqual([
      [2, 'b'],
      [3, 'c'],
      [4, 'd'],
    ])
    expect(buffer.lastAt).toBe(4)
  })

  it('takes no line twice after a broken connection', () => {
    const buffer = new LineBuffer()
    buffer.append([line(1, 'a'), line(2, 'b')])
    buffer.appendAfter([line(2, 'b'), line(2, 'c')], buffer.keysAtEnd())
    expect(buffer.lines.map((each) => each.line)).toEqual(['a', 'b', 'c'])
  })
})

it.each([
  ['\u001b[32mok\u001b[0m done', 'ok done'],
  ['10 %\r20 %\r100 %\r', '100 %'],
  ['\u001b]0;title\u0007text', 'text'],
  ['a [b] c', 'a [b] c'],
])('plain %j', (given, expected) => expect(plain(given)).toBe(expected))
