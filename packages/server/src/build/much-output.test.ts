import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BuilderFixture } from './builder-fixture.testing.ts'

const lineBytes = 16 * 1024
const lines = 65_536

it('a build that prints a gigabyte is kept to its first and last megabytes, in memory too, and is done', async () => {
  using fixture = await BuilderFixture.create()
  const line = 'x'.repeat(lineBytes)
  fixture.agents.onBuild = function* ({ request }) {
    if (!request.tag.startsWith('berth/app-')) return
    for (let n = 0; n < lines; n += 1) yield { type: 'output', at: n, line: `${n} ${line}` } as const
  }
  const before = process.memoryUsage().rss
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 50)
  const outcome = await fixture.run()
  clearInterval(watch)
  expect(outcome.reused).toBe(false)
  expect((most - before) / 1024 ** 2).toBeLessThan(300)
  const folder = fixture.space.path('outputs')
  const kept = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, each) => sum + (each.isFile() ? each.size : 0), 0)
  expect(kept / 1024 ** 2).toBeLessThan(12)
  const output = await fixture.output()
  expect(output.some((each) => each.startsWith('0 x'))).toBe(true)
  expect(output.some((each) => each.startsWith(`${lines - 1} x`))).toBe(true)
  expect(output.some((each) => /missing|left out|not kept/.test(each))).toBe(true)
})
