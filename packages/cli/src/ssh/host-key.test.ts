import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkHostKey, preferredTypes } from './host-key.ts'
import { fingerprintOf, lookUpHost } from './known-hosts.ts'

/** Real keys and files, made by OpenSSH's own ssh-keygen. */
let dir: string
let key: Buffer
let other: Buffer
let knownHosts: string

const make = (name: string): Buffer => {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)])
  return Buffer.from(readFileSync(join(dir, `${name}.pub`), 'utf8').split(' ')[1] ?? '', 'base64')
}
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-host-key-'))
  key = make('one')
  other = make('two')
  knownHosts = join(dir, 'known_hosts')
})
beforeEach(() => writeFileSync(knownHosts, ''))
afterAll(() => rmSync(dir, { recursive: true }))

const know = (names: string, of = key, marker = '') =>
  writeFileSync(knownHosts, `# a comment\n\n${marker}${names} ssh-ed25519 ${of.toString('base64')} a comment\n`)
const check = (policy: object = {}, host = 'shed', port = 22) =>
  checkHostKey(host, port, key, { knownHosts, ...policy })

it('prints fingerprints as ssh-keygen does', () => {
  const printed = execFileSync('ssh-keygen', ['-l', '-f', join(dir, 'one.pub')], { encoding: 'utf8' })
  expect(printed).toContain(fingerprintOf(key))
})

describe('a host is taken', () => {
  it.each([
    ['by its name', 'shed', 'shed', 22],
    ['by one of several', 'a,SHED,b', 'shed', 22],
    ['by a pattern', 'sh?d,10.0.*', 'shed', 22],
    ['by name and port', '[shed]:2222', 'shed', 2222],
  ])('%s', async (_, names, host, port) => {
    know(names)
    await check({}, host, port)
  })

  it('by a hashed name', async () => {
    know('shed,[shed]:2222')
    execFileSync('ssh-keygen', ['-H', '-f', knownHosts], { stdio: 'ignore' })
    expect(readFileSync(knownHosts, 'utf8')).not.toContain('shed')
    await check()
    await check({}, 'shed', 2222)
    await expect(check({}, 'barn')).rejects.toMatchObject({ code: 'ssh.host-key-unknown' })
  })

  it('by the fingerprint that was said, whatever is known', async () => {
    know('shed', other)
    await check({ expected: fingerprintOf(key) })
  })

  it('by a yes, which is remembered as OpenSSH would', async () => {
    writeFileSync(knownHosts, 'barn ssh-ed25519 AAAA')
    const asked: string[] = []
    const ask = async (question: string) => asked.push(question) > 0
    await check({ ask }, 'shed', 2222)
    expect(asked).toEqual([expect.stringContaining(fingerprintOf(key))])
    await check({}, 'shed', 2222)
    const found = execFileSync('ssh-keygen', ['-F', '[shed]:2222', '-f', knownHosts], { encoding: 'utf8' })
    expect(found).toContain(key.toString('base64'))
  })
})

describe('a host is refused', () => {
  it('that shows another key than the known one', async () => {
    know('shed', other)
    await expect(check({ acceptNew: true })).rejects.toMatchObject({ code: 'ssh.host-key-mismatch' })
  })

  it('that shows another key than the one that was said', async () => {
    know('shed')
    await expect(check({ expected: fingerprintOf(other) })).rejects.toMatchObject({ code: 'ssh.host-key-mismatch' })
  })

  it('whose key was revoked', async () => {
    know('*', key, '@revoked ')
    await expect(check({ acceptNew: true })).rejects.toThrow(/was revoked/)
  })

  it('that nobody knows, when nobody can be asked or the answer is no', async () => {
    await expect(check()).rejects.toThrow(`say --host-key ${fingerprintOf(key)}`)
    await expect(check({ ask: async () => false })).rejects.toMatchObject({ code: 'ssh.host-key-unknown' })
    expect(readFileSync(knownHosts, 'utf8')).toBe('')
  })

  it('that a pattern leaves out, and one known only by who signs for it', async () => {
    know('*,!shed')
    await expect(check()).rejects.toMatchObject({ code: 'ssh.host-key-unknown' })
    know('shed', key, '@cert-authority ')
    await expect(check()).rejects.toMatchObject({ code: 'ssh.host-key-unknown' })
  })
})

it('asks for a key of the type that is known', () => {
  writeFileSync(knownHosts, 'shed ssh-rsa AAAA\n')
  expect(preferredTypes('shed', 22, knownHosts).slice(0, 2)).toEqual(['rsa-sha2-512', 'rsa-sha2-256'])
  expect(preferredTypes('barn', 22, knownHosts)[0]).toBe('ssh-ed25519')
  expect(lookUpHost('', 'shed', 22).good.size).toBe(0)
})
