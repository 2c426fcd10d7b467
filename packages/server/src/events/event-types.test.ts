import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventTypes } from '@berth/core'
import { expect, expectTypeOf, it } from 'vitest'
import type { EventDraft } from '../records/index.ts'

const root = join(import.meta.dirname, '../../../..')

async function sources(): Promise<ReadonlyMap<string, string>> {
  const directory = join(root, 'packages/server/src')
  const files = (await readdir(directory, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !/\.(test|testing)\.ts$/.test(file),
  )
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(directory, file), 'utf8')] as const)),
  )
}

it('no event is written whose type is not in the list', async () => {
  expectTypeOf<EventDraft['type']>().toEqualTypeOf<keyof typeof eventTypes>()
  const texts = [...(await sources())]
  const writers = texts.filter(([, text]) => /\.put\(\s*'events'/.test(text)).map(([file]) => file)
  // It takes drafts only, and their types are those of the list.
  expect(writers).toEqual(['records/record-transaction.ts'])
  const around = texts.filter(
    ([, text]) => /as (unknown as )?(EventDraft|EventType)\b/.test(text) && /\.event\(/.test(text),
  )
  expect(around.map(([file]) => file)).toEqual([])
})

it('every type of the list is written by somebody', async () => {
  const whole = [...(await sources()).values()].join('\n')
  // `rollout.${state}`: the types are told apart by the compiler.
  const made = new Set([...whole.matchAll(/`([a-z-]+)\.(?:[a-z-]*)\$\{/g)].map(([, area]) => area))
  const unused = Object.keys(eventTypes).filter(
    (type) => !whole.includes(`'${type}'`) && !made.has(type.slice(0, type.indexOf('.'))),
  )
  expect(unused).toEqual([])
})

it('docs/events.md lists them, with what they say', async () => {
  const text = await readFile(join(root, 'docs/events.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([a-z.-]+)` \| (.+) \|$/gm)].map(([, type, says]) => [type, says])
  expect(rows).toEqual(Object.entries(eventTypes))
})
