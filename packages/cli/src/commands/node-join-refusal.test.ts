import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostPaths } from '@berth/host'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { lastSeen, refuseRefused, whetherHeard } from './node-join.ts'

let stateDir: string
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'berth-join-'))
  mkdirSync(join(stateDir, 'agent'))
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

const paths = () => hostPaths(stateDir, join(stateDir, 'run'))
const write = (note: object): void => {
  const whole = { pid: process.pid, at: 1_000, reason: 'there is no node "n1"', isRefusal: true, ...note }
  writeFileSync(join(stateDir, 'agent/not-linked.json'), JSON.stringify(whole))
}

it('ends the waiting at once when a server refuses the agent that runs', () => {
  write({})
  expect(() => refuseRefused('n1', paths(), 3_999)).not.toThrow()
  expect(() => refuseRefused('n1', paths(), 4_000)).toThrow(/join as n1: .* no longer in: there is no node "n1"/)
})

it('waits on while there is no word, an older process had it, or no server is reached', () => {
  expect(() => refuseRefused('n1', paths(), 9_000)).not.toThrow()
  write({ pid: 4_194_305 })
  expect(() => refuseRefused('n1', paths(), 9_000)).not.toThrow()
  write({ isRefusal: false })
  expect(() => refuseRefused('n1', paths(), 9_000)).not.toThrow()
})

it('says what the agent has met last, and where its log is', () => {
  expect(lastSeen(paths())).toMatch(/^its log: .*agent\.log/)
  write({ isRefusal: false, reason: 'connect ECONNREFUSED' })
  expect(lastSeen(paths())).toMatch(/^what its agent met last: connect ECONNREFUSED; its log: /)
})

it('tells who starts a node again whether a server hears it, and that it is refused', async () => {
  const heard = () => whetherHeard('n1', paths(), new AbortController().signal)
  write({})
  await expect(heard()).rejects.toThrow(/n1 runs on, .* does not let its agent in: there is no node "n1"/)
  write({ isRefusal: false, reason: 'connect ECONNREFUSED' })
  expect(await heard()).toMatch(/^no server has heard it yet \(what its agent met last: connect ECONNREFUSED; /)
  writeFileSync(join(stateDir, 'agent/linked.json'), JSON.stringify({ pid: process.pid, at: 1_000 }))
  expect(await heard()).toBe('berth node ls shows it there')
})
