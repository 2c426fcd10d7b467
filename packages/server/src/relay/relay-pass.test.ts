import { describe, expect, it } from 'vitest'
import type { Identity } from '../auth/identity.ts'
import { RelayPass } from './relay-pass.ts'

const key = { derive: (purpose: string) => Buffer.from(purpose.padEnd(32, 'k')) }
const call = { method: 'POST', path: '/v1/apps/shop/deploys' }
const ann: Identity = { actor: 'token:ann', role: 'deployer' }

describe("a server's word for its caller", () => {
  it('is taken by the others, who know who gave it', () => {
    const pass = new RelayPass(key).issue(ann, 'a', call)
    expect(new RelayPass(key).check(pass, call)).toEqual({ ...ann, relayedBy: 'a' })
  })

  it('is good for that call, for a minute, and as it was given', () => {
    let now = 1_000_000
    const passes = new RelayPass(key, () => now)
    const pass = passes.issue(ann, 'a', call)
    const [body = '', signature = ''] = pass.split('.')
    const asAdmin = Buffer.from(Buffer.from(body, 'base64url').toString().replace('deployer', 'admin')).toString(
      'base64url',
    )
    for (const wrong of ['', 'x', `${body}.`, `${asAdmin}.${signature}`, `${body}.${signature}x`])
      expect(() => passes.check(wrong, call)).toThrow('signature')
    expect(() => passes.check(pass, { ...call, path: '/v1/apps/other/deploys' })).toThrow('another call')
    expect(() => passes.check(pass, { ...call, method: 'DELETE' })).toThrow('another call')
    now += 61_000
    expect(() => passes.check(pass, call)).toThrow('older than 60 s')
    expect(() => new RelayPass({ derive: () => Buffer.alloc(32) }).check(pass, call)).toThrow('signature')
  })
})
