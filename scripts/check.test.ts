import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

describe('./test', () => {
  it('fails when asked for a step that there is not', () => {
    const file = join(import.meta.dirname, 'check.ts')
    const { status, stderr } = spawnSync(process.execPath, [file, '--only', 'e2e'], { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr).toContain('no step "e2e"; there are: lint, types core')
  })

  it('ends by handing over to the checks', () => {
    const text = readFileSync(join(import.meta.dirname, '../test'), 'utf8')
    expect(text.trimEnd().split('\n').at(-1)).toBe('exec node scripts/check.ts "$@"')
  })
})
