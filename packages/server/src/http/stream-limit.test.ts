import { expect, it } from 'vitest'
import { StreamLimit } from './stream-limit.ts'

it('bounds the streams of each caller; one that ends makes room', () => {
  const limit = new StreamLimit(2)
  const ends = Array.from({ length: 4 }, () => new AbortController())
  limit.enter('token:ann', ends[0]!.signal)
  limit.enter('token:ann', ends[1]!.signal)
  const refusal = expect.objectContaining({ code: 'request.too-many-streams', retryable: true })
  expect(() => limit.enter('token:ann', ends[2]!.signal)).toThrow(refusal)
  limit.enter('token:bob', ends[2]!.signal)
  ends[0]!.abort()
  limit.enter('token:ann', ends[3]!.signal)
  expect(() => limit.enter('token:ann', new AbortController().signal)).toThrow(refusal)
  for (const end of ends) end.abort()
  limit.enter('token:ann', AbortSignal.abort())
  limit.enter('token:ann', new AbortController().signal)
  limit.enter('token:ann', new AbortController().signal)
  expect(() => limit.enter('token:ann', new AbortController().signal)).toThrow(refusal)
})
