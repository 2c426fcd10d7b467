import { describe, expect, it } from 'vitest'
import { BoundSecrets, secretProblem } from './bound-secrets.ts'

interface Target {
  readonly name: string
  readonly url: string
  readonly sealed?: string
}

const key = { derive: (purpose: string) => Buffer.alloc(32, purpose) }
const secrets = new BoundSecrets<Target>(key, 'targets', ({ name, url }) => [name, url])
const ci = { name: 'ci', url: 'https://ci.example/' }
const withSecret = { ...ci, ...secrets.sealedFor(ci, 'a long secret', undefined) }

describe('a secret of a record', () => {
  it('is sealed, and opens', () => {
    expect(JSON.stringify(withSecret)).not.toContain('a long secret')
    expect(secrets.open(withSecret)).toBe('a long secret')
    expect(secrets.open(ci)).toBeUndefined()
  })

  it.each([
    ['stays where nothing is said of it', ci, undefined, 'a long secret'],
    ['is replaced', ci, 'another secret', 'another secret'],
    ['is taken away', ci, '', undefined],
    ['does not go to another URL', { ...ci, url: 'https://evil.example/' }, undefined, undefined],
    ['does not go to another name', { ...ci, name: 'cd' }, undefined, undefined],
  ])('%s', (_, next, wanted, expected) =>
    expect(secrets.open({ ...next, ...secrets.sealedFor(next, wanted, withSecret) })).toBe(expected),
  )

  it('does not open at another URL, nor where parts are joined alike', () => {
    for (const moved of [
      { ...withSecret, url: 'https://evil.example/' },
      { ...withSecret, name: 'ci,https://ci.example/', url: '' },
    ])
      expect(() => secrets.open(moved)).toThrow('open the sealed value')
    const alike = { name: 'a,b', url: 'c' }
    const sealed = { ...alike, ...secrets.sealedFor(alike, 'a long secret', undefined) }
    expect(secrets.sealedFor({ name: 'a', url: 'b,c' }, undefined, sealed)).toEqual({})
  })
})

it.each([
  [undefined, undefined],
  ['', undefined],
  ['12345678', undefined],
  ['x'.repeat(1000), undefined],
  ['1234567', 'the secret has 8 to 1000 characters'],
  ['x'.repeat(1001), 'the secret has 8 to 1000 characters'],
])('%j: %s', (secret, problem) => expect(secretProblem(secret)).toBe(problem))
