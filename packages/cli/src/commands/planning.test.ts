import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { registerPlanning } from './planning.ts'

function optionsOf(...args: string[]): Record<string, unknown> {
  const program = new Command('berth').exitOverride()
  registerPlanning(program)
  const plan = program.commands.find((each) => each.name() === 'plan')!
  plan.action(() => undefined)
  program.parse(['plan', 'shop', ...args], { from: 'user' })
  return plan.opts()
}

describe('a plan', () => {
  it.each([
    [['-o', 'plan.json'], { save: 'plan.json', output: 'table' }],
    [['--output', './plans/friday.json'], { save: './plans/friday.json', output: 'table' }],
    [['-o', 'json'], { output: 'json' }],
    [['-o', 'json', '--save', 'plan.json'], { save: 'plan.json', output: 'json' }],
  ])('%j', (args, expected) => expect(optionsOf(...args)).toEqual(expected))
})
