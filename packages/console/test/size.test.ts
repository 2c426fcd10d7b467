import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, expect, it } from 'vitest'
import { buildConsole } from './console-under-test.ts'

const dist = join(import.meta.dirname, '../dist')
const kB = 1_000

beforeAll(() => buildConsole())

it('the terminal, which comes when one is opened, stays below 280 kB of JavaScript, and all that a browser may load besides below 519 kB', async () => {
  const files = (await readdir(dist, { recursive: true })).filter((file) => file.endsWith('.js'))
  const isTerminal = (file: string): boolean => file.includes('terminal-panel')
  const sizeOf = async (some: readonly string[]): Promise<number> => {
    const sizes = await Promise.all(some.map(async (file) => (await stat(join(dist, file))).size))
    return sizes.reduce((a, b) => a + b, 0)
  }
  expect(files.filter(isTerminal)).toHaveLength(1)
  expect(await sizeOf(files.filter(isTerminal))).toBeLessThanOrEqual(280 * kB)
  // Of the languages a browser loads one: the largest is counted.
  const languages = files.filter((file) => /\/(english|chinese)-/.test(file))
  expect(languages).toHaveLength(2)
  const largest = Math.max(...(await Promise.all(languages.map((file) => sizeOf([file])))))
  const others = files.filter((file) => !isTerminal(file) && !languages.includes(file))
  expect((await sizeOf(others)) + largest).toBeLessThanOrEqual(519 * kB)
})

it('the first page needs at most 75 kB of it, compressed', async () => {
  const page = await readFile(join(dist, 'index.html'), 'utf8')
  const files = [...page.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map((match) => match[1] ?? '')
  expect(files.length).toBeGreaterThan(1)
  const contents = await Promise.all(files.map((file) => readFile(join(dist, file))))
  expect(contents.reduce((sum, each) => sum + gzipSync(each).length, 0)).toBeLessThanOrEqual(75 * kB)
})
