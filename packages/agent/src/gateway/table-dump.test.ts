import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Scratch } from '../testing/scratch.ts'
import { TableDump } from './table-dump.ts'
import { decodeDump } from './table-text.ts'

let scratch: Scratch
let path: string
let made: number
let text: string
let failures: number

beforeEach(() => {
  scratch = new Scratch('dump')
  path = join(scratch.dir, 'table.dump')
  ;[made, text, failures] = [0, '', 0]
})
afterEach(() => scratch[Symbol.asyncDispose]())

const open = (afterMs?: number): TableDump =>
  new TableDump({
    path,
    log: pino(
      { level: 'error' },
      {
        write: () => {
          failures += 1
        },
      },
    ),
    text: () => {
      made += 1
      return text
    },
    ...(afterMs === undefined ? {} : { afterMs }),
  })

const written = async (): Promise<string | undefined> => decodeDump(await readFile(path, 'utf8').catch(() => ''))

function change(dump: TableDump, to: string): void {
  text = to
  dump.changed()
}

describe('the dump', () => {
  test('is written behind changes: soon after the first, and for all of a second once', async () => {
    const dump = open()
    const startedAt = performance.now()
    // The first a tenth of a second after a change, each further one a second later.
    const most = (): number => 1 + Math.floor((performance.now() - startedAt - 100) / 1_000)
    for (let number = 1; performance.now() - startedAt < 700; number += 1) {
      change(dump, String(number))
      await delay(10)
      expect(made).toBeLessThanOrEqual(most())
    }
    await expect.poll(written, { timeout: 5_000 }).toBe(text)
    expect(made).toBeLessThanOrEqual(most())
  })

  test('has all that has changed when it is flushed, and is left alone where nothing has', async () => {
    const dump = open(600_000)
    change(dump, 'a')
    change(dump, 'b')
    expect(await written()).toBeUndefined()
    await dump.flush()
    expect(await written()).toBe('b')
    change(dump, 'c')
    await Promise.all([dump.flush(), dump.flush()])
    await dump.flush()
    expect(await written()).toBe('c')
    expect(made).toBe(2)
  })

  test('that could not be written is tried again, and nobody else fails', async () => {
    const dump = open(600_000)
    await mkdir(join(path, 'in-the-way'), { recursive: true })
    change(dump, 'a')
    await dump.flush()
    expect(failures).toBe(1)
    await rm(path, { recursive: true })
    await dump.flush()
    expect(await written()).toBe('a')
    expect(failures).toBe(1)
  })
})
