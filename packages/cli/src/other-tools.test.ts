import { expect, it } from 'vitest'
import { createProgram } from './main.ts'
import { instead, withOtherWords } from './other-tools.ts'

it.each(Object.keys(instead))('%s is no command, and leads to some that exist', (word) => {
  const program = createProgram({ version: '0', register: (each) => void each.command('up') })
  const words = new Set(program.commands.flatMap((each) => [each.name(), ...each.aliases()]))
  expect(words.has(word)).toBe(false)
  const line = withOtherWords(`error: unknown command '${word}'\n(Did you mean net?)\n`)
  expect(line).toContain(`unknown command '${word}'; here it is: `)
  const named = [...line.matchAll(/berth ([a-z]+)/g)].map(([, name = '']) => name)
  expect(named.length).toBeGreaterThan(0)
  for (const name of named) expect(words, `berth ${name}`).toContain(name)
})

it('any other line stays', () => {
  for (const line of ["error: unknown command 'deplyo'\n(Did you mean deploy?)\n", "error: unknown option '-x'\n", ''])
    expect(withOtherWords(line)).toBe(line)
})
