import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogLine } from '@berth/api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BuildOutputs } from './build-outputs.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-outputs-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const line = (text: string): LogLine => ({ at: 1, stream: 'stdout', line: text })
async function read(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const texts: string[] = []
  for await (const each of lines) texts.push(each.line)
  return texts
}
const open = (limits = {}) => BuildOutputs.open({ dir, ...limits })

describe('the output of a build', () => {
  test('is followed while it grows, by readers that come at any time, and whole in the end', async () => {
    const outputs = await open()
    const output = await outputs.start('b1')
    await output.write(line('one'))
    const early = read(outputs.tail('b1', { follow: true }))
    await output.write({ ...line('two\n"é" \u0000'), stream: 'stderr' })
    expect(await read(outputs.tail('b1', { follow: false }))).toEqual(['one', 'two\n"é" \u0000'])
    const late = read(outputs.tail('b1', { follow: true }))
    await output.write({ at: 2, stream: 'system', line: 'end' })
    await output[Symbol.asyncDispose]()
    await output.write(line('too late'))
    const all = ['one', 'two\n"é" \u0000', 'end']
    expect(await early).toEqual(all)
    expect(await late).toEqual(all)
    expect(await read(outputs.tail('b1', { follow: true }))).toEqual(all)
    expect(output.lastLines).toEqual(['one', 'two\n"é" \u0000'])
    expect(readdirSync(dir)).toEqual(['b1.ndjson'])
  })

  test('of any size takes bounded space, and keeps its beginning and its end', async () => {
    const outputs = await open({ headBytes: 20_000, tailBytes: 40_000 })
    const output = await outputs.start('b1')
    for (let index = 0; index < 100_000; index += 1) await output.write(line(`line ${index}`))
    const used = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
    expect(used).toBeLessThan(4_000_000)
    await output[Symbol.asyncDispose]()
    const lines = await read(outputs.tail('b1', { follow: false }))
    expect(lines[0]).toBe('line 0')
    expect(lines.at(-1)).toBe('line 99999')
    const gap = lines.findIndex((each) => /KiB of output left out here/.test(each))
    expect(gap).toBeGreaterThan(100)
    const numbers = lines.filter((_, index) => index !== gap).map((each) => Number(each.slice(5)))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  test('a reader that is too slow is told what it misses', async () => {
    const outputs = await open({ headBytes: 1000, tailBytes: 4000 })
    const output = await outputs.start('b1')
    await output.write(line('first'))
    const reader = outputs.tail('b1', { follow: true })
    expect((await reader.next()).value).toMatchObject({ line: 'first' })
    for (let index = 0; index < 20_000; index += 1) {
      await output.write(line(`line ${index}`))
      if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await output[Symbol.asyncDispose]()
    const rest = await read(reader)
    expect(rest.filter((each) => /left out here/.test(each))).toHaveLength(1)
    expect(rest.at(-1)).toBe('line 19999')
    expect(readdirSync(dir)).toEqual(['b1.ndjson'])
  })

  test('very long lines are cut', async () => {
    const outputs = await open()
    const output = await outputs.start('b1')
    await output.write(line('x'.repeat(1_000_000)))
    await output[Symbol.asyncDispose]()
    expect((await read(outputs.tail('b1', { follow: false })))[0]?.length).toBeLessThan(17_000)
  })

  test('a follower waits for a build that has not begun, and no longer than until it has ended without', async () => {
    const outputs = await open()
    let hasEnded = false
    const waiting = read(outputs.tail('b1', { follow: true, hasEnded: () => hasEnded }))
    const never = read(outputs.tail('b2', { follow: true, hasEnded: () => hasEnded }))
    const output = await outputs.start('b1')
    await output.write(line('here'))
    await expect.poll(() => readdirSync(dir).length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await output[Symbol.asyncDispose]()
    hasEnded = true
    expect(await waiting).toEqual(['here'])
    expect(await never).toEqual([])
  })

  test('a follower that gives up', async () => {
    const outputs = await open()
    await using output = await outputs.start('b1')
    await output.write(line('one'))
    const abort = new AbortController()
    const reader = outputs.tail('b1', { follow: true, signal: abort.signal })
    await reader.next()
    const next = reader.next()
    abort.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
  })

  test('what a killed server left is ended at the next start', async () => {
    const encoded = `${JSON.stringify(line('one'))}\n`
    writeFileSync(join(dir, `b1.${'0'.repeat(15)}.part`), encoded)
    writeFileSync(join(dir, `b1.${'5000'.padStart(15, '0')}.part`), `${encoded}{"at":1,"stre`)
    writeFileSync(join(dir, 'b2.ndjson.tmp'), 'half')
    const outputs = await open()
    const lines = await read(outputs.tail('b1', { follow: true }))
    expect(lines).toEqual([
      'one',
      expect.stringMatching(/5 KiB of output left out/),
      'one',
      'the server stopped while this build ran',
    ])
    expect(readdirSync(dir)).toEqual(['b1.ndjson'])
  })

  test('a second run of a build replaces the first; removing leaves nothing', async () => {
    const outputs = await open()
    for (const text of ['first', 'second']) {
      await using output = await outputs.start('b1')
      await output.write(line(text))
    }
    expect(await read(outputs.tail('b1', { follow: false }))).toEqual(['second'])
    await outputs.remove('b1')
    await expect(read(outputs.tail('b1', { follow: false }))).rejects.toMatchObject({ code: 'build.output-not-found' })
    await expect(read(outputs.tail('../x', { follow: false }))).rejects.toMatchObject({ code: 'build.not-found' })
  })
})
