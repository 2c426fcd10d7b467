import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { entrypointScript } from './entrypoint-script.ts'

/** The shells that images have: Debian's dash, and busybox (Alpine). */
const shells = [
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
] as const

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true })
})

function start(shell: readonly string[], levels: Record<string, string>, command: readonly string[]): ChildProcess {
  const dir = mkdtempSync(join(tmpdir(), 'berth-entrypoint-'))
  dirs.push(dir)
  for (const [name, script] of Object.entries(levels)) {
    mkdirSync(join(dir, name))
    writeFileSync(join(dir, name, 'runtime.sh'), script, { mode: 0o755 })
  }
  writeFileSync(join(dir, 'entrypoint'), entrypointScript.replaceAll('/berth/levels', dir))
  const [program = '', ...rest] = shell
  return spawn(program, [...rest, join(dir, 'entrypoint'), ...command], {
    env: { PATH: '/usr/bin:/bin', name: 'kept', line: 'kept' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(shell: readonly string[], levels: Record<string, string>, command: readonly string[]) {
  const child = start(shell, levels, command)
  const text = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk) => {
    text.stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    text.stderr += chunk
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, ...text, pid: child.pid }
}

const report = ['sh', '-c', 'printf "%s|" "$@"; echo $A $B $$ $name $line "[$BERTH_ENV]" $(env | grep -c _berth)', 'x']

describe.each(shells)('the entrypoint in %s', (_, shell) => {
  test('runs every level in order, hands variables on and becomes the command', async () => {
    const levels = {
      '01-base': 'echo one\necho "A=a  b\'\\"\\$(id)" >> "$BERTH_ENV"',
      '02-node': `#!/usr/bin/env -S busybox sh\necho "two $A"\nprintf '# note\\n\\nB=2' >> "$BERTH_ENV"\nexit 0\n`,
    }
    const { stdout, stderr, code, pid } = await run(shell, levels, [...report, "it's", '', '$(id) *'])
    expect(stderr).toBe('')
    expect(stdout).toBe(`one\ntwo a  b'"$(id)\nit's||$(id) *|a b'"$(id) 2 ${pid} kept kept [] 0\n`)
    expect(code).toBe(0)
  })

  test('no level', async () => {
    expect((await run(shell, {}, ['sh', '-c', 'exit 7'])).code).toBe(7)
  })

  test.each<[string, Record<string, string>, string[], number, RegExp]>([
    [
      'a failing script stops the start',
      { '01-a': 'false\necho no' },
      report,
      1,
      /01-a\/runtime.sh failed with exit code 1/,
    ],
    ['a missing interpreter', { '01-a': '#!/no/such\n' }, report, 127, /01-a\/runtime.sh failed with exit code 127/],
    ['a bad variable', { '01-a': 'echo "A-B=1" >> "$BERTH_ENV"' }, report, 65, /not NAME=value: A-B=1/],
    ['no equals sign', { '01-a': 'echo "AB" >> "$BERTH_ENV"' }, report, 65, /not NAME=value: AB/],
    ['no command', {}, [], 64, /give the entrypoint a command/],
    ['a command that is not there', {}, ['/no/such'], 127, /no\/such/],
  ])('%s', async (_, levels, command, code, message) => {
    const result = await run(shell, levels, command)
    expect(result).toMatchObject({ code, stderr: expect.stringMatching(message), stdout: '' })
  })

  test('the command gets the signals', async () => {
    const command = ['sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done']
    const child = start(shell, { '01-a': ':' }, command)
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([5, null])
  })

  test('SIGTERM ends a script that hangs', async () => {
    const child = start(shell, { '01-a': 'echo here\nexec sleep 60' }, report)
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([143, null])
  })
})
