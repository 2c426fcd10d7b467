import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createProgram } from '../main.ts'

describe('validate', () => {
  let directory: string
  const good = 'app: shop\nimage: shop:1\nentrypoints: {web: {ports: [8080]}}\n'
  const bad = good.replace('ports', 'prots')
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-validate-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  async function validate(text: string, ...args: string[]): Promise<string> {
    const file = join(directory, 'berth.yaml')
    writeFileSync(file, text)
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    try {
      await createProgram({ version: '0' }).parseAsync(['node', 'berth', ...args, 'validate', file])
    } finally {
      shown = written.mock.calls.map(([chunk]) => chunk).join('')
      written.mockRestore()
    }
    return shown
  }
  let shown = ''

  it.each(['json', 'yaml', 'template={problems}'])('fails on mistakes in the form %s too', async (form) => {
    await expect(validate(bad, '-o', form)).rejects.toMatchObject({ code: 1 })
    expect(shown).toContain('prots')
  })
  it('shows what the file means as JSON', async () => {
    expect(JSON.parse(await validate(good, '-o', 'json'))).toMatchObject({ problems: [], spec: { app: 'shop' } })
  })
})
