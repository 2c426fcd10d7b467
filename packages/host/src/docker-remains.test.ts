import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

interface Snapshot {
  readonly links: readonly string[]
  readonly rules: string
  readonly forwarding: string
  readonly mounts: readonly string[]
  readonly runDir: boolean
}

interface Report {
  readonly first: Snapshot
  readonly again?: unknown
  readonly left: Snapshot
  readonly removed: boolean
  readonly last: Snapshot
}

const timeoutMs = 120_000
const script = join(import.meta.dirname, 'docker-remains.testing.ts')
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-remains-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function runScenario(name: string): Report {
  const namespaces = ['--net', '--mount', '--propagation', 'private']
  const argv = [...namespaces, process.execPath, script, dir, name]
  return JSON.parse(execFileSync('unshare', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
}

describe('what an ended dockerd has left', () => {
  it('is removed, also after one that was killed', { timeout: timeoutMs }, () => {
    const { first, again, left, removed, last } = runScenario('plain')
    expect(left.links).toContain('docker0')
    expect(left.rules).toContain('DOCKER-USER')
    expect(left.forwarding).toBe('1')
    expect(removed).toBe(true)
    expect(last).toEqual(first)
    expect(again).toBeUndefined()
  })

  it('stays as far as rules of others need it', { timeout: timeoutMs }, () => {
    const { removed, last } = runScenario('rules of others')
    expect(removed).toBe(true)
    expect(last.links).not.toContain('docker0')
    expect(last.rules).toContain('192.0.2.7')
    expect(last.rules).toContain('jump DOCKER-USER')
    expect(last.rules).toContain('policy drop')
    expect(last.rules).not.toContain('docker0')
  })

  it('stays while a container runs', { timeout: timeoutMs }, () => {
    const { left, removed, last } = runScenario('a container runs')
    expect(removed).toBe(false)
    expect(last).toEqual(left)
  })
})
