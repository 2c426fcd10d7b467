import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeGateway } from './remove-gateway.ts'

const log = pino({ level: 'silent' })
let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-gateway-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it('leaves nothing by which the next agent here takes itself for a gateway', async () => {
  const folder = join(dir, 'gateway')
  await mkdir(folder)
  await writeFile(join(folder, 'table.json'), '{}')
  await removeGateway(folder, log)
  expect(existsSync(folder)).toBe(false)
  await removeGateway(folder, log)
})
