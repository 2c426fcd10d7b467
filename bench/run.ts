/** `npm run -s bench -- --list | NAME [NAME …] [--json]`: runs figures and prints a table for people, with `--json` a line each. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Figure, FigureResult } from './figure.ts'

/** Files that export a `figure`; those of one part of Berth may share a folder with what they have in common. */
const folders = ['figures', 'schedule'].map((name) => join(import.meta.dirname, name))

async function loadFigures(): Promise<Figure[]> {
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .sort()
      .map((name) => join(folder, name)),
  )
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(file).href)))
  return modules.flatMap((module: { figure?: Figure }) => (module.figure === undefined ? [] : [module.figure]))
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean' }, json: { type: 'boolean' }, all: { type: 'boolean' } },
  })
  const figures = await loadFigures()
  if (values.list === true || (positionals.length === 0 && values.all !== true)) {
    for (const figure of figures)
      console.log(`${figure.name.padEnd(24)} ${figure.target.padEnd(12)} ${figure.description}`)
    return 0
  }
  const unknown = positionals.filter((name) => !figures.some((figure) => figure.name === name))
  if (unknown.length > 0) {
    console.error(`no figure ${unknown.join(', ')}; there are: ${figures.map((figure) => figure.name).join(', ')}`)
    return 2
  }
  const chosen = values.all === true ? figures : figures.filter((figure) => positionals.includes(figure.name))
  let missed = 0
  for (const figure of chosen) if (!(await runOne(figure, values.json === true))) missed++
  return missed === 0 ? 0 : 1
}

async function runOne(figure: Figure, json: boolean): Promise<boolean> {
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop)
  try {
    const result = await figure.run({ signal: abort.signal, log: (message) => console.error(`  ${message}`) })
    console.log(table(figure, result))
    if (json) console.log(JSON.stringify(line(figure, result)))
    return result.ok
  } finally {
    process.off('SIGINT', stop)
  }
}

function table(figure: Figure, result: FigureResult): string {
  const kind = figure.peerKind ?? 'measured'
  const rows = [
    ['figure', figure.name],
    ['what', figure.description],
    ['ours', `${format(result.ours)} ${figure.unit}`],
    [
      'peer',
      kind === 'none'
        ? 'none'
        : `${format(result.peer)} ${figure.unit}  (${figure.peer}${kind === 'published' ? ', published' : ''})`,
    ],
    ['ratio', kind === 'none' ? '-' : format(result.ratio)],
    ['target', `${figure.target}  ${result.ok ? 'reached' : 'MISSED'}`],
    ['samples', String(result.samples.length)],
    ...(result.notes ?? []).map((note) => ['note', note]),
  ]
  return `${rows.map(([name, value]) => `${(name ?? '').padEnd(8)} ${value}`).join('\n')}\n`
}

const line = (figure: Figure, { ours, peer, ratio, ok, samples, notes }: FigureResult) => ({
  name: figure.name,
  ours,
  peer,
  unit: figure.unit,
  ratio,
  target: figure.target,
  ok,
  samples,
  peerKind: figure.peerKind ?? 'measured',
  notes,
})

const format = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

process.exitCode = await main()
