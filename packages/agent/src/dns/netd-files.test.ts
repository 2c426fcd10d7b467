import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { NetworkConfig } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createNetdFiles } from './netd-files.ts'
import { decodeNetdState, type NetdState, netdDirectory, netdStatePath } from './netd-state.ts'
import { NetdWatcher } from './netd-watcher.ts'

const network: NetworkConfig = {
  pool: '10.77.0.0/16',
  block: '10.77.1.0/24',
  peers: [],
  domain: 'berth',
  defaultPool: 'production',
}
const namesOf = (version: number) => ({ version, entries: [] })

let stateDir: string
let said: Partial<NetdState>[]
let complaints: string[]

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'netd-files-'))
  said = []
  complaints = []
})
afterEach(() => rm(stateDir, { recursive: true, force: true }))

const log = pino({ level: 'warn' }, { write: (line: string) => complaints.push(line) })
const watch = (pollIntervalMs = 3_600_000) =>
  NetdWatcher.start({ stateDir, log, tell: (state) => said.push(state), pollIntervalMs })

/** Resolves with the milliseconds that it took. */
async function until(accept: () => boolean): Promise<number> {
  const start = performance.now()
  while (!accept() && performance.now() - start < 5000) await delay(2)
  expect(accept()).toBe(true)
  return performance.now() - start
}
const version = () => said.at(-1)?.names?.version

describe('the files of netd', () => {
  it('are read at the start', async () => {
    const files = createNetdFiles(stateDir)
    const instances = [{ instance: 'a.b.c-1', app: 'a', pool: 'b', address: '10.77.1.2' }]
    await Promise.all([files.writeNames(namesOf(1)), files.writeNetwork(network), files.writeInstances(instances)])
    using _ = await watch()
    expect(said).toEqual([{ names: namesOf(1), network, instances }])
  })

  it('are read when they change, within a tenth of a second', async () => {
    const files = createNetdFiles(stateDir)
    await files.writeNetwork(network)
    using _ = await watch()
    expect(said).toEqual([{ network }])
    const times: number[] = []
    for (let n = 1; n <= 20; n++) {
      await files.writeNames(namesOf(n))
      times.push(await until(() => version() === n))
    }
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(100)
    expect(said.at(-1)?.network).toEqual(network)
  })

  it('are polled where nobody tells of changes', async () => {
    const files = createNetdFiles(stateDir)
    using _ = await watch(20)
    await files.writeNames(namesOf(1))
    await until(() => version() === 1)
    await rename(netdDirectory(stateDir), `${netdDirectory(stateDir)}.old`)
    await files.writeNames(namesOf(2))
    await until(() => version() === 2)
    await files.writeNames(namesOf(3))
    await until(() => version() === 3)
  })

  it.each<[string, (text: string) => string]>([
    ['cut', (text) => text.slice(0, -10)],
    ['empty', () => ''],
    ['changed', (text) => text.replace('"version":1', '"version":7')],
    ['of a future format', (text) => text.replace('"format":1', '"format":2')],
    ['no JSON', () => 'hello\nworld\n'],
  ])('when one is %s, the last good one stays in force, and a new one ends that', async (_, spoil) => {
    const files = createNetdFiles(stateDir)
    await files.writeNames(namesOf(1))
    using watcher = await watch()
    expect(watcher).toBeDefined()
    const path = netdStatePath(stateDir, 'names')
    await writeFile(path, spoil(await readFile(path, 'utf8')))
    await until(() => complaints.length > 0)
    expect(complaints[0]).toContain('read names.json of netd: ')
    expect(version()).toBe(1)
    await files.writeNames(namesOf(2))
    await until(() => version() === 2)
  })

  it('when one is removed, what it said stays in force', async () => {
    const files = createNetdFiles(stateDir)
    await files.writeNames(namesOf(1))
    using _ = await watch(20)
    await rm(netdStatePath(stateDir, 'names'))
    await files.writeNetwork(network)
    await until(() => said.at(-1)?.network !== undefined)
    expect(version()).toBe(1)
    expect(complaints).toEqual([])
  })

  it('hold the last of many values that are written at once', async () => {
    const files = createNetdFiles(stateDir)
    await Promise.all(Array.from({ length: 200 }, (_, n) => files.writeNames(namesOf(n))))
    const text = await readFile(netdStatePath(stateDir, 'names'), 'utf8')
    expect(decodeNetdState('names', text)).toEqual(namesOf(199))
  })

  it('are written again after a write that failed', async () => {
    const files = createNetdFiles(join(stateDir, 'later'))
    await writeFile(join(stateDir, 'later'), 'in the way')
    await expect(files.writeNames(namesOf(1))).rejects.toThrow()
    await rm(join(stateDir, 'later'))
    await files.writeNames(namesOf(2))
    const text = await readFile(netdStatePath(join(stateDir, 'later'), 'names'), 'utf8')
    expect(decodeNetdState('names', text)).toEqual(namesOf(2))
  })

  it('are not written on behalf of who has given up', async () => {
    await expect(createNetdFiles(stateDir).writeNames(namesOf(1), { signal: AbortSignal.abort() })).rejects.toThrow()
  })
})
