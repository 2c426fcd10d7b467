import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parseLabels } from './commands/admin.ts'
import { complete } from './commands/completion.ts'
import { parseCounts } from './commands/lifecycle.ts'
import { inspectText } from './commands/listings.ts'
import { parseDuration } from './commands/logs.ts'
import { createProgram } from './main.ts'
import { formatAge, formatBytes } from './output/format.ts'
import { formatPlan } from './output/plan.ts'
import { fillTemplate, type Output, parseOutputForm, printListing } from './output/print.ts'
import { createStyle } from './output/style.ts'
import { formatTable } from './output/table.ts'

const plain = createStyle(false)

describe('tables', () => {
  it('have upper-case headers, aligned columns, and no trailing blanks', () => {
    expect(
      formatTable(
        ['name', 'ready'],
        [
          ['web-1', 'yes'],
          ['longer-name-2', ''],
        ],
      ),
    ).toBe('NAME           READY\nweb-1          yes\nlonger-name-2')
  })

  it('align by what a terminal shows: colour takes nothing, wide characters two', () => {
    const table = formatTable(
      ['a', 'b'],
      [
        [createStyle(true).red('x'), '1'],
        ['世界', '2'],
      ],
    ).split('\n')
    expect(table[1]?.endsWith('    1')).toBe(true)
    expect(table[2]).toBe('世界  2')
  })
})

describe('formats', () => {
  it.each([
    [0, '0s'],
    [59_999, '59s'],
    [252_000, '4m12s'],
    [660_000, '11m'],
    [7_500_000, '2h5m'],
    [277_200_000, '3d5h'],
  ])('age of %d ms is %s', (ms, text) => expect(formatAge(ms)).toBe(text))
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1536, '1.5Ki'],
    [134_217_728, '128Mi'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
  it('fills templates by path', () =>
    expect(fillTemplate('{a.b} {c}\\n{none}', { a: { b: 1 }, c: ['x'] })).toBe('1 ["x"]\n'))
  it('says which fields of a template no item has', async () => {
    const [lines, notes]: [string[], string[]] = [[], []]
    const out = { line: (text: string) => lines.push(text), note: (text: string) => notes.push(text) }
    const view = { headers: [], row: () => [], name: () => '', empty: '' }
    await printListing([{ name: 'a' }], view, { template: '{nmae} {name}' }, out as unknown as Output)
    expect(lines).toEqual([' a'])
    expect(notes).toEqual(['no item has {nmae}; there are: name (and more by -o json)'])
  })
  it('refuses an unknown output form, naming all', () =>
    expect(() => parseOutputForm('xml')).toThrow('use table, wide, json, yaml, name or template='))
})

describe('words on the command line', () => {
  it("counts name their entrypoint or take the target's", () => {
    expect(parseCounts({ app: 'shop', pool: 'production' }, ['web=3', 'worker=0'])).toEqual({ web: 3, worker: 0 })
    expect(parseCounts({ app: 'shop', entrypoint: 'web', pool: 'production' }, ['5'])).toEqual({ web: 5 })
    expect(() => parseCounts({ app: 'shop', pool: 'production' }, ['5'])).toThrow(
      'of which entrypoint? write berth scale shop/web 5',
    )
    expect(() => parseCounts({ app: 'shop', pool: 'production' }, ['web=-1'])).toThrow('web=-1 is no count')
    // How many there may be is the server's to say.
    expect(parseCounts({ app: 'shop', pool: 'production' }, ['web=1000000'])).toEqual({ web: 1_000_000 })
  })

  it('labels are set by = and removed by a dash', () => {
    expect(parseLabels(['zone=a', 'old-', 'empty=', 'dash=x-'])).toEqual({
      zone: 'a',
      old: null,
      empty: '',
      dash: 'x-',
    })
    expect(() => parseLabels(['=x'])).toThrow('is no label')
  })

  it('durations have a unit', () => {
    expect(parseDuration('10m')).toBe(600_000)
    expect(() => parseDuration('10')).toThrow('write 30s, 10m, 2h or 1d')
  })
})

describe('the schema of berth.yaml', () => {
  const run = (...args: string[]) => createProgram({ version: '0' }).parseAsync(['schema', ...args], { from: 'user' })

  it('is printed, or written to a file', async () => {
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    await run()
    const text = written.mock.calls.map(([chunk]) => chunk).join('')
    written.mockRestore()
    expect(JSON.parse(text)).toMatchObject({ title: 'berth.yaml', properties: { app: {}, entrypoints: {} } })
    const directory = mkdtempSync(join(tmpdir(), 'berth-schema-'))
    const file = join(directory, 'berth.schema.json')
    await run('--out', file)
    expect(readFileSync(file, 'utf8')).toBe(text)
    await expect(run('--out', join(directory, 'none', 'x.json'))).rejects.toMatchObject({ code: 'usage.cannot-write' })
    rmSync(directory, { recursive: true })
  })
})

describe('a plan', () => {
  it('shows counts, the difference, the steps and what is in the way', () => {
    const text = formatPlan(
      {
        app: 'shop',
        pool: 'production',
        from: 'v1',
        to: 'v2',
        changes: true,
        entrypoints: [
          {
            name: 'web',
            action: 'update',
            create: 1,
            replace: 2,
            destroy: 0,
            unchanged: 0,
            serving: { now: 2, lowest: 1, highest: 3 },
          },
        ],
        diff: [
          { op: '~', path: 'entrypoints.web.env.COLOR', before: 'blue', after: 'green' },
          { op: '+', path: 'routes.0', after: 'x' },
        ],
        problems: ['secret A is not set'],
        placements: [{ entrypoint: 'web', nodes: [{ node: 'node-a', count: 3 }], missing: 0 }],
        steps: ['replace 2 of web'],
      },
      plain,
    )
    expect(text).toBe(
      'shop/production: v1 → v2\n  ~ web: 1 create, 2 replace (1 of 2 serve at the least, 3 at the most)\n\n  ~ entrypoints.web.env.COLOR: "blue" → "green"\n  + routes.0: "x"\n\nsteps\n  1. replace 2 of web\n\nnew instances on\n  web: node-a ×3\n\nin the way\n  ✘ secret A is not set',
    )
  })
})

it('shows times of inspected things as people read them, and numbers as they are', () => {
  const item = {
    createdAt: 1_795_966_920_285,
    lastExit: { at: 1_795_966_920_000, code: 1 },
    memoryBytes: 4e12,
    readyAt: 5,
  }
  expect(JSON.parse(inspectText(item))).toEqual({
    ...item,
    createdAt: '2026-11-29T15:42:00.285Z',
    lastExit: { at: '2026-11-29T15:42:00.000Z', code: 1 },
  })
})

describe('completion', () => {
  const program = createProgram({ version: '0' })
  const values = async (kind: string) =>
    ({
      apps: ['shop', 'blog'],
      targets: ['shop', 'shop/web', 'blog'],
      instances: ['web-1'],
      environments: ['staging'],
      contexts: ['local', 'prod'],
      rollouts: ['r-abcdefgh'],
    })[kind] ?? []

  it.each([
    [['dep'], ['deploy']],
    [['sch'], ['schema']],
    [['schema', '--o'], ['--out']],
    [['rollout', 'p'], ['pause']],
    [
      ['logs', 'sho'],
      ['shop', 'shop/web'],
    ],
    [
      ['exec', ''],
      ['web-1', 'shop', 'shop/web', 'blog'],
    ],
    [
      ['deploy', ''],
      ['shop', 'blog'],
    ],
    [['scale', 'shop/web', ''], []],
    [
      ['-c', ''],
      ['local', 'prod'],
    ],
    [
      ['-c', 'prod', 'secret', 'set', ''],
      ['shop', 'blog'],
    ],
    [['secret', 'set', 'shop', ''], []],
    [
      ['rollout', 'watch', ''],
      ['r-abcdefgh', 'shop', 'blog'],
    ],
    [['completion', 'z'], ['zsh']],
    [
      ['token', 'create', 'ana', '--role', ''],
      ['admin', 'deployer', 'viewer'],
    ],
    [['deploy', '-e', 's'], ['staging']],
    [['ps', '--no'], ['--node']],
    [['ps', '-o', 'j'], ['json']],
  ])('%j → %j', async (words, expected) => expect(await complete(program, words, values)).toEqual(expected))

  it('every command has a summary and none hides another', () => {
    const names = program.commands.flatMap((each) => [each.name(), ...each.aliases()])
    expect(new Set(names).size).toBe(names.length)
    for (const each of program.commands)
      if (!each.name().startsWith('__')) expect(each.summary(), each.name()).not.toBe('')
  })
})
