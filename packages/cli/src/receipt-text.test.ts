import type { ReceiptView } from '@berth/api'
import { expect, it } from 'vitest'
import { receiptText } from './receipt-text.ts'

it('a receipt says who approved, when, and how many there were in the end', () => {
  const given = [
    { by: 'token:bob', at: 60_000 },
    { by: 'token:eve', at: 120_000, admin: true },
  ]
  const receipt: ReceiptView = {
    ...{ rollout: 'r-12345678', app: 'shop', pool: 'production', reason: 'deploy', from: 'v1', to: 'v2' },
    ...{ by: 'token:ann', state: 'succeeded', message: 'v2 serves', createdAt: 0, endedAt: 130_000, tookMs: 130_000 },
    ...{ plan: {}, stages: [], approvals: { needed: 2, given } },
    pauses: [{ since: 0, until: 120_000, reason: 'waited for approval: 2 of 2 (token:bob, token:eve)' }],
  }
  const text = receiptText(receipt)
  expect(text).toContain('approved   token:bob at 1970-01-01T00:01:00.000Z')
  expect(text).toContain('approved   token:eve (admin) at 1970-01-01T00:02:00.000Z')
  expect(text).toMatch(/paused for .*: waited for approval: 2 of 2/)
})
