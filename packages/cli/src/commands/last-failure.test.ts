import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { lastFailure } from './last-failure.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-log-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

it.each([
  {
    what: 'a sentence',
    text: '{"level":30,"msg":"up"}\nerror: read the key: it is missing\n',
    said: 'read the key: it is missing',
  },
  {
    what: 'a warning with its reason',
    text: '{"level":40,"msg":"no","reason":"etcd"}\n{"level":30,"msg":"x"}\n',
    said: 'no: etcd',
  },
  { what: 'an error with what was thrown', text: '{"level":50,"msg":"no","err":{"message":"full"}}', said: 'no: full' },
  { what: 'only good news', text: '{"level":30,"msg":"up"}\n', said: undefined },
  { what: 'half a line', text: `{"level":50,"msg":"old"}\n${'x'.repeat(70_000)}`, said: undefined },
])('finds $what', ({ text, said }) => {
  const file = join(directory, 'server.log')
  writeFileSync(file, text)
  expect(lastFailure(file)).toBe(said)
})

it('finds nothing where there is no log', () => {
  expect(lastFailure(join(directory, 'none.log'))).toBeUndefined()
})
