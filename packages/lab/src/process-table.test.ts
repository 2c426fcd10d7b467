import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { childrenOf, commandName, identify, isAlive, namespacedPids } from './process-table.ts'

describe('identify', () => {
  test('this process is alive; the same id of another start or boot is not', () => {
    const self = identify(process.pid)!
    expect(isAlive(self)).toBe(true)
    expect(isAlive({ ...self, startTicks: self.startTicks + 1 })).toBe(false)
    expect(isAlive({ ...self, bootId: 'another' })).toBe(false)
  })

  test('a process that ended has no identity', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const identity = identify(child.pid!)!
    expect(isAlive(identity)).toBe(true)
    expect(childrenOf(process.pid)).toContain(child.pid)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(isAlive(identity)).toBe(false)
    expect(identify(child.pid!)).toBeUndefined()
    expect(commandName(child.pid!)).toBeUndefined()
  })
})

test('a process outside of any lab has one id', () => {
  expect(namespacedPids(process.pid)).toEqual([process.pid])
})
