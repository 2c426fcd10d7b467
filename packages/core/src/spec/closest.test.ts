import { expect, it } from 'vitest'
import { closest } from './closest.ts'

const keys = ['command', 'replicas', 'resources', 'workingDirectory', 'maxFiles', 'env']

it.each([
  ['comand', 'command'],
  ['commnad', 'command'],
  ['replica', 'replicas'],
  ['working_directory', 'workingDirectory'],
  ['max-files', 'maxFiles'],
  ['ENV', 'env'],
  ['envs', 'env'],
  ['resource', 'resources'],
])('%s → %s', (word, meant) => expect(closest(word, keys)).toBe(meant))

it.each(['banana', 'x', '', 'r'.repeat(1000)])('%s is near nothing', (word) =>
  expect(closest(word, keys)).toBeUndefined(),
)
