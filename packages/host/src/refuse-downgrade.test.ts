import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { hostPaths } from './host-paths.ts'
import { refuseDowngrade } from './refuse-downgrade.ts'

it('lets no older executable take over, unless that is what is wanted', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-version-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const paths = hostPaths(directory, directory)
  const up = (version: string, isAllowed = false) => refuseDowngrade(paths, 'berth up', version, isAllowed)
  // Nothing has run here yet.
  expect(() => up('0.1.0')).not.toThrow()
  mkdirSync(join(directory, 'agent'))
  writeFileSync(join(directory, 'agent', 'version'), '0.2.0\n')
  for (const version of ['0.2.0', '0.2.1', '0.10.0', '1.0.0']) expect(() => up(version)).not.toThrow()
  for (const version of ['0.1.9', '0.2.0-rc1'])
    expect(() => up(version)).toThrow(expect.objectContaining({ code: 'host.older-version' }))
  expect(() => up('0.1.9')).toThrow('is version 0.1.9, and 0.2.0 has run here already')
  expect(() => up('0.1.9', true)).not.toThrow()
})
