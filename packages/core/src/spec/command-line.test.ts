import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitCommand } from './command-line.ts'

describe('splitCommand', () => {
  it.each<[string, string[]]>([
    ['node server.js', ['node', 'server.js']],
    ['  node \t server.js\n', ['node', 'server.js']],
    [`echo 'a b' "c d" e\\ f`, ['echo', 'a b', 'c d', 'e f']],
    [`a'b'"c"d`, ['abcd']],
    [`echo '' ""`, ['echo', '', '']],
    [`echo "a \\"b\\" \\$c \\n"`, ['echo', 'a "b" $c \\n']],
    [`sh -c 'echo $PORT | cat > /x; ls *'`, ['sh', '-c', 'echo $PORT | cat > /x; ls *']],
    ['echo \\$HOME \\* \\;', ['echo', '$HOME', '*', ';']],
    ['node \\\n  server.js', ['node', 'server.js']],
    ['gunicorn app:app --bind 0.0.0.0:8000 --env=A=b', ['gunicorn', 'app:app', '--bind', '0.0.0.0:8000', '--env=A=b']],
    ['C:\\\\x', ['C:\\x']],
  ])('%j', (text, words) => expect(splitCommand(text)).toEqual({ ok: true, value: words }))

  it.each([
    ['', 'the command is empty'],
    ['  \n', 'the command is empty'],
    ['a | b', '"|"'],
    ['a && b', '"&"'],
    ['a; b', '";"'],
    ['a > log', '">"'],
    ['a $PORT', '"$PORT"'],
    ['a "$PORT"', '"$PORT"'],
    ['a `date`', '"`date`"'],
    ['a\nb', 'a second line'],
    ['ls *.js', 'the pattern "*"'],
    ['NODE_ENV=production node x', 'sets a variable'],
    [`echo 'a`, "' is never closed"],
    ['echo "a', '" is never closed'],
    ['echo \\', 'ends in a backslash'],
  ])('refuses %j', (text, message) => {
    const result = splitCommand(text)
    expect(result.ok ? '' : result.message).toContain(message)
  })

  it('says how to have a shell', () => {
    expect(splitCommand('a && b')).toMatchObject({ suggestion: expect.stringContaining('[sh, -c, "a && b"]') })
  })

  it('gives back any words that were quoted', () => {
    const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
    const word = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(text))
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        expect(splitCommand(words.map(quote).join(' '))).toEqual({ ok: true, value: words })
      }),
    )
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...`ab '"\\$|\n`) }), (text) => {
        expect(typeof splitCommand(text).ok).toBe('boolean')
      }),
    )
  })
})
