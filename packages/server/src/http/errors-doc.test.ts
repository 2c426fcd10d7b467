import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { statusOf } from './error-status.ts'

const root = join(import.meta.dirname, '../../../..')

/** Codes of errors that the packages make. */
async function codesIn(name: string): Promise<Set<string>> {
  const directory = join(root, 'packages', name, 'src')
  const files = (await readdir(directory, { recursive: true })).filter(
    (file) => /\.ts$/.test(file) && !/\.(test|testing)\.ts$|(^|\/)testing\//.test(file),
  )
  const codes = new Set<string>()
  for (const file of files) {
    const text = await readFile(join(directory, file), 'utf8')
    for (const [, code = ''] of text.matchAll(/(?:BerthError|storeError)\(\s*'([a-z]+\.[a-z-]+)'/g)) codes.add(code)
  }
  return codes
}

it.each(['api', 'core', 'server', 'agent', 'cli', 'host'])('docs/errors.md knows every code of %s', async (name) => {
  const text = await readFile(join(root, 'docs/errors.md'), 'utf8')
  const areas = [...text.matchAll(/`([a-z]+)\.\*`/g)].map((match) => match[1])
  const missing = [...(await codesIn(name))].filter(
    (code) => !text.includes(`\`${code}\``) && !areas.includes(code.split('.')[0]),
  )
  expect(missing).toEqual([])
})

it('docs/errors.md tells the statuses that the API gives', async () => {
  const text = await readFile(join(root, 'docs/errors.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([a-z]+\.[a-z-]+)` \| (\d{3}) \|/gm)]
  expect(rows.length).toBeGreaterThan(50)
  const wrong = rows
    .filter(([, code = '', status]) => statusOf(code) !== Number(status))
    .map(([row, code = '']) => `${row} ${statusOf(code)}`)
  expect(wrong).toEqual([])
})
