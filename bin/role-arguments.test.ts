import { expect, it } from 'vitest'
import { readRoleArguments } from './role-arguments.ts'
import { roleOf } from './run-berth.ts'

it.each([
  [['server'], 'server'],
  [['server', '--listen', '0.0.0.0:7600'], 'server'],
  [['server', 'join', '--server', 'h1'], 'server'],
  [['server', 'join', '--help'], undefined],
  [['server', '--help'], undefined],
  [['server', 'ls'], undefined],
  [['server', 'jion'], undefined],
  [['agent', 'join'], 'agent'],
  [['ps'], undefined],
])('%j is the role %s', (args, role) => {
  expect(roleOf(args)).toBe(role)
})

it.each([
  [['--lsten', 'x'], 'berth server has no option --lsten; did you mean --listen?'],
  [['-x'], 'berth server has no option -x; there are: --listen'],
  [['--listen'], 'berth server: --listen needs a value'],
  [['--listen', '--log-level', 'debug'], 'berth server: --listen needs a value'],
  [['--listen', 'x', 'jion'], 'berth server takes no jion; did you mean berth server join?'],
  [['now'], 'berth server takes no now; write berth server with options only'],
])('%j is told', (args, words) => {
  const read = () => readRoleArguments(args, { command: 'berth server', options: ['listen'], tasks: ['join'] })
  expect(read).toThrow(words)
})
