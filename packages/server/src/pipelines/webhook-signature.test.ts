import { createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from 'vitest'
import { readDelivery } from './webhook-payload.ts'
import { type Forge, verifySignature } from './webhook-signature.ts'

const secret = 'It’s a Secret to Everybody'
const body = Buffer.from('{"ref":"refs/heads/main"}')
const hmac = (key: string): string => createHmac('sha256', key).update(body).digest('hex')

describe('signatures', () => {
  it('of GitHub are as its documentation’s own example has them', () => {
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    const headers = { 'x-hub-signature-256': signature }
    expect(verifySignature(headers, Buffer.from('Hello, World!'), "It's a Secret to Everybody")).toBe('github')
  })

  it.each<[Forge, IncomingHttpHeaders, IncomingHttpHeaders]>([
    [
      'github',
      { 'x-hub-signature-256': `sha256=${hmac(secret)}` },
      { 'x-hub-signature-256': `sha256=${hmac('other')}` },
    ],
    ['gitlab', { 'x-gitlab-token': secret }, { 'x-gitlab-token': `${secret} ` }],
    ['gitea', { 'x-gitea-signature': hmac(secret) }, { 'x-gitea-signature': hmac('other') }],
  ])('of %s', (forge, right, wrong) => {
    expect(verifySignature(right, body, secret)).toBe(forge)
    expect(verifySignature(wrong, body, secret)).toBeUndefined()
    expect(verifySignature(right, body, undefined)).toBeUndefined()
    expect(verifySignature(right, body, 'another')).toBeUndefined()
    expect(verifySignature({}, body, secret)).toBeUndefined()
    if (forge !== 'gitlab') expect(verifySignature(right, Buffer.from('{}'), secret)).toBeUndefined()
  })

  it('without a secret nothing that is known opens', () => {
    const known = hmac('nobody has this one')
    expect(verifySignature({ 'x-gitea-signature': known }, body, undefined)).toBeUndefined()
    expect(verifySignature({ 'x-gitlab-token': 'nobody has this one' }, body, undefined)).toBeUndefined()
  })
})

describe('deliveries', () => {
  const push = (document: object): Buffer => Buffer.from(JSON.stringify(document))
  it.each<[string, Forge, IncomingHttpHeaders, Buffer, object]>([
    ['a push', 'github', { 'x-github-event': 'push' }, body, { type: 'push', ref: 'refs/heads/main' }],
    ['a push', 'gitlab', { 'x-gitlab-event': 'Push Hook' }, body, { type: 'push', ref: 'refs/heads/main' }],
    ['a push', 'gitea', { 'x-gitea-event': 'push' }, body, { type: 'push', ref: 'refs/heads/main' }],
    [
      'a tag',
      'gitlab',
      { 'x-gitlab-event': 'Tag Push Hook' },
      push({ ref: 'refs/tags/v1' }),
      { type: 'push', ref: 'refs/tags/v1' },
    ],
    [
      'a new tag',
      'gitea',
      { 'x-gitea-event': 'create' },
      push({ ref: 'v1', ref_type: 'tag' }),
      { type: 'push', ref: 'refs/tags/v1' },
    ],
    [
      'a form',
      'github',
      { 'x-github-event': 'push', 'content-type': 'application/x-www-form-urlencoded' },
      Buffer.from(`payload=${encodeURIComponent(body.toString())}`),
      { type: 'push', ref: 'refs/heads/main' },
    ],
    ['what cannot be read', 'github', { 'x-github-event': 'push' }, Buffer.from('{'), { type: 'push' }],
    ['an odd ref', 'github', { 'x-github-event': 'push' }, push({ ref: ['x'] }), { type: 'push' }],
    ['a ping', 'github', { 'x-github-event': 'ping' }, body, { type: 'ignored', why: 'nothing is done for ping' }],
    ['an event that is unknown', 'gitlab', {}, body, { type: 'ignored', why: 'nothing is done for this' }],
    [
      'a branch that went',
      'gitlab',
      { 'x-gitlab-event': 'Push Hook' },
      push({ ref: 'refs/heads/x', after: '0'.repeat(40) }),
      { type: 'ignored', why: 'a branch or tag went' },
    ],
  ])('%s of %s', (_, forge, headers, payload, expected) => {
    expect(readDelivery(forge, headers, payload)).toEqual(expected)
  })
})
