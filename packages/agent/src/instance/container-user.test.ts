import { describe, expect, it } from 'vitest'
import { testAssignment } from '../testing/test-node.ts'
import { checkAssignment } from './check-assignment.ts'
import { resolveUser } from './container-user.ts'

const files: Record<string, string> = {
  '/etc/passwd': 'root:x:0:0:root:/:/bin/sh\napp:x:1234:2345::/:/bin/sh\n',
  '/etc/group': 'root:x:0:\nstaff:x:50:app\n',
}
const engine = {
  readFile: async (_: string, path: string) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
}
const signal = new AbortController().signal

describe('resolveUser', () => {
  it.each([
    ['', { uid: 0, gid: 0 }],
    ['root', { uid: 0, gid: 0 }],
    ['0', { uid: 0, gid: 0 }],
    ['app', { uid: 1234, gid: 2345 }],
    ['1234', { uid: 1234, gid: 2345 }],
    ['999', { uid: 999, gid: 0 }],
    ['999:998', { uid: 999, gid: 998 }],
    ['app:staff', { uid: 1234, gid: 50 }],
    ['1234:staff', { uid: 1234, gid: 50 }],
    ['nobody', undefined],
    ['app:nobody', undefined],
  ])('%j', async (user, expected) => {
    expect(await resolveUser(engine, 'c1', user, signal)).toEqual(expected)
  })
})

describe('checkAssignment', () => {
  it('takes an ordinary one', () => {
    expect(() => checkAssignment(testAssignment(1))).not.toThrow()
  })

  it.each([
    ['a name that climbs', { instance: '../web-1' }],
    ['an app with a slash', { app: 'shop/../../etc' }],
    ['a pool of dots', { pool: '..' }],
    ['an address that is a name', { address: 'localhost' }],
    ['no image', { image: '' }],
    ['a secret that climbs', { secrets: [{ file: '../key', value: '' }] }],
    ['a secret named by dots', { secrets: [{ file: '..', value: '' }] }],
    ['a relative path', { config: [{ path: 'etc/app.conf', content: '', mode: 0o644 }] }],
    ['the root itself', { volumes: [{ type: 'tmpfs' as const, path: '/x/..', sizeBytes: 1 }] }],
    ['a path with a NUL', { config: [{ path: '/etc/a\0b', content: '', mode: 0o644 }] }],
  ])('refuses %s', (_, change) => {
    expect(() => checkAssignment(testAssignment(1, change))).toThrow(
      expect.objectContaining({ code: 'instance.invalid-assignment' }),
    )
  })
})
