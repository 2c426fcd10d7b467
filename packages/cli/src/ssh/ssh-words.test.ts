import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shellWords } from './shell-words.ts'
import { formatSshTarget, parseSshTarget } from './ssh-target.ts'

const defaults = { user: 'me', port: 22 }

describe('where to log in', () => {
  it.each([
    ['ssh://ann@shed-1:2222', 'ann', 'shed-1', 2222],
    ['ann@10.0.0.5', 'ann', '10.0.0.5', 22],
    ['shed.example', 'me', 'shed.example', 22],
    ['root@[fd00::5]:2022', 'root', 'fd00::5', 2022],
    ['ssh://[::1]', 'me', '::1', 22],
  ])('%s', (text, user, host, port) => {
    const target = parseSshTarget(text, defaults)
    expect(target).toEqual({ user, host, port })
    expect(parseSshTarget(formatSshTarget(target), defaults)).toEqual(target)
  })

  it.each(['', 'a b', 'ann@', '-oProxyCommand=x', 'ssh://a:99999', 'http://a', 'a;b', '$(x)@y', 'a/b'])(
    'is not %j',
    (text) => {
      expect(() => parseSshTarget(text, defaults)).toThrow(/is no machine/)
    },
  )
})

it('words stay words, whatever they hold', () => {
  const word = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed())
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const said = spawnSync('sh', ['-c', shellWords(['printf', '%s\\0', ...words])], { encoding: 'buffer' })
      expect(said.stdout.toString().split('\0').slice(0, -1)).toEqual(words)
    }),
    { numRuns: 60 },
  )
})
