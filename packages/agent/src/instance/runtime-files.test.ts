import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Assignment } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testAssignment } from '../testing/test-node.ts'
import { RuntimeFiles } from './runtime-files.ts'

const assignment = testAssignment(1, {
  secrets: [{ file: 'password', value: 'tide-and-time' }],
  config: [{ path: '/etc/app.conf', content: 'depth=3', mode: 0o640 }],
})
const owner = { uid: 1234, gid: 2345 }
let directory: string
let files: RuntimeFiles

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-files-'))
  files = new RuntimeFiles({
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
    log: pino({ level: 'silent' }),
    keepEndedMs: 1_000,
  })
  await files.open()
})
afterEach(async () => {
  await files.unmount()
  rmSync(directory, { recursive: true })
})

const of = (path: string) => {
  const { mode, uid, gid } = statSync(path)
  return { mode: (mode & 0o7777).toString(8), uid, gid }
}

describe('RuntimeFiles', () => {
  it('keeps secrets in memory, for the container’s user alone', async () => {
    await files.makeSources(assignment)
    await files.fill(assignment, owner)
    const secrets = files.secretsOf(assignment.instance)
    expect(readFileSync('/proc/self/mounts', 'utf8')).toContain(`berth-secrets ${join(directory, 'run/secrets')} tmpfs`)
    expect(of(join(directory, 'run/secrets')).mode).toBe('700')
    expect(of(join(secrets, 'password'))).toEqual({ mode: '400', ...owner })
    await files.open()
    expect(await files.hasSecrets(assignment.instance)).toBe(true)
    await files.unmount()
    expect(await files.hasSecrets(assignment.instance)).toBe(false)
  })

  it('lets everybody in the container read them when its user is unknown', async () => {
    await files.makeSources(assignment)
    await files.fill(assignment, undefined)
    expect(of(join(files.secretsOf(assignment.instance), 'password'))).toEqual({ mode: '444', uid: 0, gid: 0 })
  })

  it('writes configuration once more, but never over what a label could not hold', async () => {
    await files.makeSources(assignment)
    const path = files.configOf(assignment.instance, 0)
    expect(of(path).mode).toBe('640')
    const [file] = assignment.config
    await files.makeSources({ ...assignment, config: file === undefined ? [] : [{ ...file, content: '' }] })
    expect(readFileSync(path, 'utf8')).toBe('depth=3')
  })

  it('gives /persist to the user, and touches nothing that a link in it points to', async () => {
    await files.makeSources(assignment)
    const persist = files.persistOf(assignment)
    const outside = join(directory, 'outside')
    await writeFile(outside, 'x')
    await chmod(outside, 0o600)
    await rm(join(persist, 'logs'), { recursive: true })
    symlinkSync(outside, join(persist, 'logs'))
    await files.fill(assignment, owner)
    expect(of(persist)).toMatchObject(owner)
    expect(of(outside)).toEqual({ mode: '600', uid: 0, gid: 0 })
  })

  it('changes a resolv.conf in place, and never leaves it empty on a full disk', async () => {
    const agentDir = join(directory, 'state/agent')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'berth-full', agentDir])
    try {
      await files.setResolving({ domain: 'berth' }, [])
      const { ino } = statSync(files.resolvConf)
      await writeFile(join(agentDir, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined)
      await files.setResolving({ domain: 'b' }, [])
      expect(readFileSync(files.resolvConf, 'utf8')).toMatch(/answers for \.b and(?:.*\n)+search \.\n$/)
      await expect(files.setResolving({ domain: 'b'.repeat(10_000) }, [])).rejects.toThrow('ENOSPC')
      expect(statSync(files.resolvConf)).toMatchObject({ ino, size: expect.any(Number) })
      expect(statSync(files.resolvConf).size).toBeGreaterThan(0)
    } finally {
      execFileSync('umount', [agentDir])
    }
  })

  it('says in each instance’s resolv.conf where its short names are looked for, also when that changes while it runs', async () => {
    const [plain, other] = [assignment, { ...assignment, instance: 'shop.production.db-1', searchDomains: ['lab'] }]
    for (const each of [plain, other]) await files.makeSources(each)
    const shown = ({ instance }: Assignment) =>
      /^search (.*)$/m.exec(readFileSync(files.resolvConfOf(instance), 'utf8'))?.[1]
    expect([plain, other].map(shown)).toEqual(['production.shop.berth', 'production.shop.berth lab'])
    const { ino } = statSync(files.resolvConfOf(plain.instance))
    const absent = { ...assignment, instance: 'shop.production.web-9' }
    await files.setResolving({ domain: 'berth', searchDomains: ['corp.example'] }, [plain, other, absent])
    expect([plain, other].map(shown)).toEqual(['production.shop.berth corp.example', 'production.shop.berth lab'])
    expect(statSync(files.resolvConfOf(plain.instance)).ino).toBe(ino)
    expect(() => shown(absent)).toThrow('ENOENT')
    await files.setResolving({ domain: 'berth' }, [plain, other])
    expect([plain, other].map(shown)).toEqual(['production.shop.berth', 'production.shop.berth lab'])
    await files.remove(other)
    expect(() => shown(other)).toThrow('ENOENT')
  })

  it('removes everything, and sets aside what was left in /persist', async () => {
    await files.makeSources(assignment)
    await files.fill(assignment, owner)
    const persist = files.persistOf(assignment)
    await writeFile(join(persist, 'kept'), 'x')
    await files.remove(assignment)
    expect(() => statSync(persist)).toThrow('ENOENT')
    expect(await files.hasSecrets(assignment.instance)).toBe(false)
    expect(() => statSync(files.configOf(assignment.instance, 0))).toThrow('ENOENT')
    const pool = join(files.ended.directory, 'shop/production')
    const [name = ''] = readdirSync(pool)
    expect(name).toMatch(/^web-1@\d{8}T\d{6}Z$/)
    expect(readFileSync(join(pool, name, 'kept'), 'utf8')).toBe('x')
    await files.remove(assignment)
    expect(readdirSync(pool)).toEqual([name])
  })
})
