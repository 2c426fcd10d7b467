import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostPaths } from '@berth/host'
import { expect, it } from 'vitest'
import { refuseLoneKey } from './up-store.ts'

it('founds no cluster with the key of another one, and none where its records were lost', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'berth-up-'))
  try {
    const paths = hostPaths(stateDir, join(stateDir, 'run'))
    expect(() => refuseLoneKey(paths)).not.toThrow()
    mkdirSync(join(stateDir, 'server'))
    writeFileSync(join(stateDir, 'server/secret.key'), 'key')
    expect(() => refuseLoneKey(paths)).toThrow(/berth up --store etcd.*berth restore FILE/)
    writeFileSync(join(stateDir, 'server/store.db'), '')
    expect(() => refuseLoneKey(paths)).not.toThrow()
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
})
