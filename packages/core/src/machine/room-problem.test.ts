import { expect, it } from 'vitest'
import { isDiskFull, roomProblem } from './room-problem.ts'

const MiB = 1024 ** 2

it.each([
  [0, 'less than 8 MiB are free below /var/lib/berth: make room there'],
  [8 * MiB - 1, 'less than 8 MiB are free below /var/lib/berth: make room there'],
  [8 * MiB, 'less than 64 MiB are free below /var/lib/berth: make room there'],
  [255 * MiB, 'less than 256 MiB are free below /var/lib/berth: make room there'],
  [256 * MiB, undefined],
])('of %d bytes that are free it is told: %s', (free, sentence) => {
  expect(roomProblem('/var/lib/berth', free)).toBe(sentence)
})

it.each([
  [Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }), true],
  [Object.assign(new Error('quota exceeded'), { code: 'EDQUOT' }), true],
  [Object.assign(new Error('no such file'), { code: 'ENOENT' }), false],
  [new Error('x'), false],
  [undefined, false],
])('a full disk is told from other failures: %s', (error, full) => {
  expect(isDiskFull(error)).toBe(full)
})
