import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Contexts, endpointsOf } from './contexts.ts'
import { placeOf } from './transports.ts'

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

describe('the servers of a context', () => {
  const urls = (name = 'prod') => endpointsOf(contexts.active(name).context).map(placeOf)

  it('are those that were given, then those that a server told of; those that are away are kept', () => {
    contexts.put('prod', { server: 'https://a:7600', others: ['https://b:7600'], token: 't' })
    expect(contexts.learnServers('prod', ['a:7600', 'b:7600'])).toBe(false)
    expect(contexts.learnServers('prod', ['b:7600', 'c:7600'])).toBe(true)
    expect(contexts.learnServers('prod', ['c:7600'])).toBe(false)
    expect(contexts.learnServers('prod', ['d:7600'])).toBe(true)
    expect(urls()).toEqual(['https://a:7600', 'https://b:7600', 'https://d:7600', 'https://c:7600'])
    expect(contexts.active('prod').context.token).toBe('t')
  })

  it('are bounded, and the local socket learns none', () => {
    contexts.put('prod', { server: 'https://a:7600' })
    for (let at = 0; at < 40; at += 1) contexts.learnServers('prod', [`10.0.0.${at}:7600`])
    expect(urls()).toHaveLength(17)
    expect(contexts.learnServers('local', ['a:7600'])).toBe(false)
    expect(urls('local')).toHaveLength(1)
  })

  it('may be several in BERTH_SERVER', () => {
    const own = new Contexts({ BERTH_CONFIG_DIR: directory, BERTH_SERVER: 'https://a:7600, b:7600', BERTH_TOKEN: 't' })
    expect(endpointsOf(own.active().context).map(placeOf)).toEqual(['https://a:7600', 'https://b:7600'])
  })

  it('are remembered: who answered last, and what was written', () => {
    contexts.memory.put('prod', { answered: 'https://b:7600', written: { revision: 5, epoch: 'e' } })
    expect(new Contexts({ BERTH_CONFIG_DIR: directory }).memory.of('prod').written?.revision).toBe(5)
    expect(contexts.memory.of('other')).toEqual({})
    writeFileSync(join(directory, 'last-seen.json'), 'nonsense')
    expect(contexts.memory.of('prod')).toEqual({})
  })
})
