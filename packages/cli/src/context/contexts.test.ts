import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Contexts } from './contexts.ts'

let directory: string
let contexts: Contexts
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-contexts-'))
  contexts = new Contexts({ BERTH_CONFIG_DIR: directory })
})
afterEach(() => rmSync(directory, { recursive: true }))

const pem = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
const [old, next, foreign] = [pem('b2xk'), pem('bmV4dA=='), pem('Zm9yZWlnbg==')]
const put = (authorityPem?: string): void =>
  contexts.put('prod', {
    server: 'https://a:7600',
    token: 't',
    ...(authorityPem === undefined ? {} : { authorityPem }),
  })
const known = () => contexts.read().contexts.prod?.authorityPem

describe('a context whose cluster has rotated its authority', () => {
  it('learns the new one, once', () => {
    put(old)
    expect(contexts.learnAuthority('prod', next + old)).toBe(true)
    expect(known()).toBe(next + old)
    expect(contexts.learnAuthority('prod', next + old)).toBe(false)
    expect(statSync(join(directory, 'contexts.json')).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['trusts an authority of the operator’s', foreign, next + old],
    ['knows all of it in another form', `${old.trim()}\r\n`, old],
    ['knew more before', next + old, next],
    ['trusts whom its system trusts', undefined, next],
  ])('stays as it is when it %s', (_, authorityPem, offered) => {
    put(authorityPem)
    expect(contexts.learnAuthority('prod', offered)).toBe(false)
    expect(known()).toBe(authorityPem)
  })

  it('is none that nobody has written down', () => expect(contexts.learnAuthority('local', next)).toBe(false))
})
