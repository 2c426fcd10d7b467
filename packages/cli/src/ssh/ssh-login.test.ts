import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loginMethods, SshKeys } from './ssh-login.ts'

let dir: string
let keyFile: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-ssh-login-'))
  keyFile = join(dir, 'key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-f', keyFile])
})
afterAll(() => rmSync(dir, { recursive: true }))

it('an encrypted key is opened once, however many machines one logs in at', async () => {
  const keys = new SshKeys()
  const login = { keyFile, passphrase: 'open sesame' }
  const [first] = await loginMethods('ann', login, keys)
  const [second] = await loginMethods('bob', login, keys)
  expect(first).toMatchObject({ type: 'publickey', username: 'ann' })
  expect((second as { key?: unknown }).key).toBe((first as { key?: unknown }).key)
})

it('a key that cannot be opened is said with what to do', async () => {
  await expect(loginMethods('ann', { keyFile })).rejects.toThrow(/give --passphrase-file/)
  await expect(loginMethods('ann', { keyFile: join(dir, 'none') })).rejects.toMatchObject({
    code: 'ssh.key-unreadable',
  })
})
