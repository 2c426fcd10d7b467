import { expect, it } from 'vitest'
import { shortCommit } from './short-commit.ts'

it('shortens what is git’s and leaves all else', () => {
  expect(shortCommit('0123456789abcdef0123456789abcdef01234567')).toBe('0123456789ab')
  for (const text of ['r7', 'branches/a-long-name@123', 'main', '', 'sha256:0123456789abcdef'])
    expect(shortCommit(text)).toBe(text)
})
