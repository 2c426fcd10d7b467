import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newInstanceMemory } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testAssignment } from '../testing/test-node.ts'
import { readBootId } from './boot-id.ts'
import { reasonToFreeze } from './epoch-guard.ts'
import { assignmentDigest, sealAssignment, unsealAssignment } from './instance-record.ts'
import { InstanceStore } from './instance-store.ts'
import { NodeStore } from './node-store.ts'
import { createSealer, openSealer } from './sealer.ts'
import { lockState } from './state-lock.ts'

const log = pino({ level: 'silent' })
const sealer = createSealer(Buffer.alloc(32, 1))
const secrets = [{ file: 'password', value: 'tide-and-time' }]
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-state-'))
})
afterEach(async () => {
  for (const path of mounts.splice(0)) execFileSync('umount', [path])
  await rm(directory, { recursive: true, force: true })
})

const mounts: string[] = []
/** A disk without a free byte. */
async function mountFull(): Promise<string> {
  const path = join(directory, 'full')
  await mkdir(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'berth-full', path])
  mounts.push(path)
  await writeFile(join(path, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined)
  await expect(writeFile(join(path, 'more'), 'x')).rejects.toThrow('ENOSPC')
  await rm(join(path, 'more'))
  return path
}

describe('InstanceStore', () => {
  const store = (): InstanceStore => new InstanceStore(directory, sealer, log)
  const record = { assignment: testAssignment(1, { secrets }), memory: newInstanceMemory(0) }

  it('gives back what was saved, and keeps secrets sealed', async () => {
    await store().save(record)
    const [file = ''] = await readdir(directory)
    expect(file).toBe('shop.production.web-1.json')
    expect(await readFile(join(directory, file), 'utf8')).not.toContain('tide-and-time')
    expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    expect(await store().load()).toEqual([{ ...record, secretsLost: false }])
  })

  it('writes the last of many changes', async () => {
    const writing = store()
    const saves = Array.from({ length: 50 }, (_, restarts) =>
      writing.save({ ...record, memory: { ...record.memory, restarts } }),
    )
    await Promise.all(saves)
    expect(await store().load()).toMatchObject([{ memory: { restarts: 49 } }])
  })

  it.each([
    ['cut off', (text: string) => text.slice(0, 200)],
    ['changed', (text: string) => text.replace('shop', 'shoq')],
    ['empty', () => ''],
    ['of a future format', (text: string) => text.replace('"format":1', '"format":9')],
  ])('sets a record aside that is %s, and loads the others', async (_, damage) => {
    await store().save(record)
    await store().save({ ...record, assignment: testAssignment(2) })
    const path = join(directory, 'shop.production.web-1.json')
    await writeFile(path, damage(await readFile(path, 'utf8')))
    expect(await store().load()).toMatchObject([{ assignment: { ordinal: 2 } }])
    expect(await readdir(directory)).toContain('shop.production.web-1.json.corrupt')
  })

  it('knows when its secrets were sealed with another key', async () => {
    await store().save(record)
    const other = new InstanceStore(directory, createSealer(Buffer.alloc(32, 2)), log)
    expect(await other.load()).toMatchObject([{ secretsLost: true, assignment: { secrets: [] } }])
  })

  it('clears away what a crash left half-written', async () => {
    await writeFile(join(directory, 'x.json.abc.new'), 'half')
    expect(await store().load()).toEqual([])
    expect(await readdir(directory)).toEqual([])
  })

  it('removes', async () => {
    const removing = store()
    void removing.save(record)
    await removing.remove('shop.production.web-1')
    expect(await readdir(directory)).toEqual([])
  })
})

describe('NodeStore', () => {
  it('keeps what it was told, and starts empty when that is damaged', async () => {
    const path = join(directory, 'state.json')
    const store = await NodeStore.open(path, log)
    await store.update({ epoch: 'e1', revision: 7 })
    expect((await NodeStore.open(path, log)).state).toEqual({ epoch: 'e1', revision: 7 })
    await writeFile(path, 'rubbish')
    expect((await NodeStore.open(path, log)).state).toEqual({ revision: 0 })
    expect(await readdir(directory)).toContain('state.json.corrupt')
  })
})

describe('a disk that was full', () => {
  it('gets the state of the node once it has room, although nothing has changed since', async () => {
    const full = await mountFull()
    const store = await NodeStore.open(join(full, 'state.json'), log)
    await expect(store.update({ epoch: 'e1', revision: 7 })).rejects.toThrow('ENOSPC')
    await rm(join(full, 'filler'))
    await store.update({ epoch: 'e1', revision: 7 })
    expect((await NodeStore.open(join(full, 'state.json'), log)).state).toEqual({ epoch: 'e1', revision: 7 })
    expect(await readdir(full)).toEqual(['state.json'])
  })
})

describe('reasonToFreeze', () => {
  it.each([
    ['a first store', {}, { epoch: 'e1', revision: 1 }, undefined, undefined],
    ['the same store', { epoch: 'e1' }, { epoch: 'e1', revision: 9 }, undefined, undefined],
    ['another store', { epoch: 'e1' }, { epoch: 'e2', revision: 99 }, undefined, 'echo e2 > /agent/accept-epoch'],
    ['another store that was accepted', { epoch: 'e1' }, { epoch: 'e2', revision: 1 }, 'e2', undefined],
    ['a third store', { epoch: 'e1' }, { epoch: 'e3', revision: 1 }, 'e2', 'e3'],
    [
      'a store into which the known one was moved',
      { epoch: 'e1' },
      { epoch: 'e2', revision: 1, follows: ['e0', 'e1'] },
      undefined,
      undefined,
    ],
    ['the one that was moved', { epoch: 'e2' }, { epoch: 'e1', revision: 9 }, undefined, 'this node belongs to e2'],
    ['what a third one was moved to', { epoch: 'e3' }, { epoch: 'e2', revision: 9, follows: ['e1'] }, undefined, 'e3'],
    [
      'a store that went back',
      { epoch: 'e1' },
      { epoch: 'e1', revision: 4 },
      undefined,
      'went back from revision 5 to 4',
    ],
  ])('of %s', (_, known, snapshot, accepted, expected) => {
    const acceptance = { epoch: accepted, path: '/agent/accept-epoch' }
    const reason = reasonToFreeze({ revision: 5, ...known }, snapshot, acceptance)
    if (expected === undefined) expect(reason).toBeUndefined()
    else expect(reason).toContain(expected)
  })
})

describe('a sealed assignment', () => {
  const assignment = testAssignment(1, { secrets, config: [{ path: '/etc/a', content: 'long', mode: 0o644 }] })

  it('comes back from a label, but for the contents of its files', () => {
    const label = sealAssignment(assignment, sealer)
    expect(label).not.toContain('tide')
    const config = [{ path: '/etc/a', content: '', mode: 0o644 }]
    expect(unsealAssignment(label, assignment.instance, sealer)).toEqual({ ...assignment, config })
  })

  it.each([
    ['another instance', sealAssignment(assignment, sealer), 'shop.production.web-2'],
    ['a label that is none', 'rubbish', assignment.instance],
    ['an empty label', '', assignment.instance],
  ])('is not taken from %s', (_, label, instance) => {
    expect(unsealAssignment(label, instance, sealer)).toBeUndefined()
  })

  it('has a digest of what never changes', () => {
    const digest = assignmentDigest(assignment)
    expect(
      assignmentDigest({
        ...assignment,
        desired: 'stop',
        restartNonce: 3,
        cpuMilli: 1,
        memoryBytes: 2,
        cores: '1:300',
        burst: 'quota',
      }),
    ).toBe(digest)
    expect(assignmentDigest({ ...assignment, secrets: [{ file: 'password', value: 'other' }] })).toBe(digest)
    expect(assignmentDigest({ ...assignment, image: 'other' })).not.toBe(digest)
  })
})

describe('the node’s key', () => {
  it('is made once, for root alone, and made anew when it is damaged', async () => {
    const path = join(directory, 'seal.key')
    const sealed = (await openSealer(path)).seal('secret', 'context')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await openSealer(path)).open(sealed, 'context')).toBe('secret')
    await writeFile(path, 'short')
    const fresh = await openSealer(path)
    expect(() => fresh.open(sealed, 'context')).toThrow('another key')
  })
})

describe('lockState', () => {
  it('is held by one living process', async () => {
    const path = join(directory, 'lock')
    await writeFile(path, '1 1\n')
    await using _lock = await lockState(path)
    expect(await readlink(path)).toMatch(new RegExp(`^${process.pid} \\d+$`))
    expect(await readdir(directory)).toEqual(['lock'])
  })

  it('goes with its holder, and only with it', async () => {
    const path = join(directory, 'lock')
    const lock = await lockState(path)
    await rm(path)
    await symlink('1 1', path)
    await lock[Symbol.asyncDispose]()
    expect(await readlink(path)).toBe('1 1')
    await (await lockState(path))[Symbol.asyncDispose]()
    expect(await readdir(directory)).toEqual([])
  })

  it('needs no room on the disk', async () => {
    const full = await mountFull()
    await using _lock = await lockState(join(full, 'lock'))
    expect(await readlink(join(full, 'lock'))).toContain(String(process.pid))
  })

  it('is refused while its holder lives', async () => {
    const path = join(directory, 'lock')
    const fields = (await readFile('/proc/1/stat', 'utf8')).split(') ').at(-1)?.split(' ') ?? []
    await symlink(`1 ${fields[19]}`, path)
    await expect(lockState(path)).rejects.toMatchObject({ code: 'agent.already-running' })
    await rm(path)
    // As agents made it before.
    await writeFile(path, `1 ${fields[19]}\n`)
    await expect(lockState(path)).rejects.toMatchObject({ code: 'agent.already-running' })
  })
})

describe('readBootId', () => {
  it('changes when the directory that a boot empties was emptied', async () => {
    const first = await readBootId(directory)
    expect(await readBootId(directory)).toBe(first)
    await rm(join(directory, 'boot'))
    expect(await readBootId(directory)).not.toBe(first)
  })
})
