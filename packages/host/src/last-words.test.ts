import { describe, expect, it } from 'vitest'
import { lastWords } from './last-words.ts'

const entry = (over: object): string => JSON.stringify({ level: 30, time: 'now', pid: 1, hostname: 'h', ...over })

describe('the last words of a process', () => {
  it.each<[string, readonly string[], string]>([
    ['nothing', [], ''],
    [
      'the error that it died of, and neither its source nor its stack',
      [
        'agent.cjs:213',
        'let a=1;throw b',
        '^',
        '',
        'Error: no more memory',
        '    at run (agent.cjs:1:2)',
        '',
        'Node.js v26.10.0',
      ],
      'Error: no more memory',
    ],
    [
      'an error with a code',
      ['TypeError [ERR_X]: not a string', '    at x', 'Node.js v26.10.0'],
      'TypeError [ERR_X]: not a string',
    ],
    ['how a command ends', ['error: read /x: there is none'], 'error: read /x: there is none'],
    [
      'entries by their message and reason',
      [entry({ msg: 'the agent runs' }), entry({ level: 40, msg: 'cannot reach a server', reason: 'it refuses' })],
      'the agent runs · cannot reach a server: it refuses',
    ],
    ['the error of an entry', [entry({ msg: 'ended', err: { message: 'disk full' } })], 'ended: disk full'],
    ['what is no entry as it is', ['{half an entry'], '{half an entry'],
  ])('are %s', (_, lines, words) => {
    expect(lastWords(`${lines.join('\n')}\n`)).toBe(words)
  })

  it('are bounded', () => {
    expect(lastWords('x'.repeat(100_000))).toHaveLength(500)
  })
})
