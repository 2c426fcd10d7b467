import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes, formatCpu, formatDuration, specDefaults } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { formatProblems, parseSpec } from './index.ts'
import { specJsonSchema } from './spec-json-schema.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const guide = read('docs/guides/berth-yaml.md')

const problemsOf = (text: string, name: string): string => formatProblems(parseSpec(text).problems, name, text)
const indent = (text: string, by: number): string => text.replace(/^(?=.)/gm, ' '.repeat(by))

describe('examples', () => {
  const apps = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  it.each(apps.filter((path) => /(^|\/)berth\.yaml$/.test(path)))('%s is valid', (path) => {
    expect(problemsOf(read(join('examples', path)), path)).toBe('')
  })

  it('reference/berth.yaml has every key, but those that exclude what it has', () => {
    const reference = read('examples/reference/berth.yaml')
    const missing = keysOf(specJsonSchema()).filter((key) => !new RegExp(`(^|[\\s{,])${key}:`, 'm').test(reference))
    expect(missing).toEqual(['image', 'dockerfile', 'target'].filter((key) => missing.includes(key)))
  })
})

/** What a fragment of the guide is put into, by the word behind `yaml`. */
const frames: Readonly<Record<string, (text: string) => string>> = {
  '': (text) => text,
  top: (text) => frame({ text }),
  build: (text) => frame({ text, entrypoints: 'entrypoints:\n  web: {command: node x}' }),
  entrypoint: (text) =>
    frame({ text: '', entrypoints: `entrypoints:\n  db: {ports: [1]}\n  web:\n${indent(text, 4)}` }),
  routes: (text) => frame({ text, entrypoints: 'entrypoints: {web: {ports: [80]}, api: {ports: [80]}}' }),
  jobs: (text) => frame({ text, entrypoints: 'entrypoints: {web: {}, migrate: {type: job}}' }),
}

function frame({
  text,
  entrypoints = 'entrypoints: {web: {ports: [8080]}}',
}: {
  text: string
  entrypoints?: string
}): string {
  const says = (key: string): boolean => new RegExp(`^${key}:`, 'm').test(text)
  return [
    says('app') ? '' : 'app: shop',
    says('build') || says('image') ? '' : 'image: shop:1',
    says('entrypoints') ? '' : entrypoints,
    text,
  ].join('\n')
}

const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((path) => `docs/${path}`),
]
const blocks = documents
  .filter((path) => path.endsWith('.md'))
  .flatMap((path) => {
    const text = readOptional(path)
    return [...text.matchAll(/^```yaml ?(\w*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', block = ''], index) => ({
      name: `${path}, block ${index + 1}`,
      kind,
      block,
    }))
  })
  // Other guides may show other YAML; a whole berth.yaml begins with its app.
  .filter(({ kind, block }) => kind !== '' || /^(#.*\n)*app:/.test(block))

function readOptional(path: string): string {
  try {
    return read(path)
  } catch {
    return ''
  }
}

describe('the guides', () => {
  it.each(blocks)('$name is valid', ({ kind, block, name }) => {
    expect(Object.keys(frames)).toContain(kind)
    expect(problemsOf(frames[kind]!(block), name)).toBe('')
  })

  it('berth-yaml.md has examples', () =>
    expect(blocks.filter(({ name }) => name.includes('berth-yaml')).length).toBeGreaterThan(15))

  it('berth-yaml.md explains every key', () => {
    expect(
      keysOf(specJsonSchema()).filter(
        (key) => !new RegExp(`\`([\\w.]+\\.)?${key}\`|^#+ .*\\b${key}\\b`, 'm').test(guide),
      ),
    ).toEqual([])
  })

  const { buildLimits, logs, probe, rollout, route } = specDefaults
  const defaults: [string, string][] = [
    ['type', specDefaults.type],
    ['replicas', String(specDefaults.replicas)],
    ['cpu', formatCpu(buildLimits.cpuMilli)],
    ['memory', formatBytes(buildLimits.memoryBytes)],
    ['timeout', formatDuration(buildLimits.timeoutMs)],
    ['network', buildLimits.network],
    ['init', String(specDefaults.init)],
    ['stop.signal', specDefaults.stopSignal],
    ['stop.grace', formatDuration(specDefaults.stopGraceMs)],
    ['drain', formatDuration(specDefaults.drainMs)],
    ['readyTimeout', '60s'],
    ['timeout', String(specDefaults.jobTimeoutMs)],
    ['timeout` of a hook', formatDuration(specDefaults.hookTimeoutMs)],
    ['restart', `${specDefaults.restart.service}; jobs: ${specDefaults.restart.job}`],
    ['delay', formatDuration(probe.delayMs)],
    ['interval', formatDuration(probe.intervalMs)],
    ['timeout', formatDuration(probe.timeoutMs)],
    ['successes', String(probe.successes)],
    ['failures', String(probe.failures)],
    ['logs.maxSize', formatBytes(logs.maxBytes)],
    ['logs.maxFiles', String(logs.maxFiles)],
    ['path', route.path],
    ['tls', route.tls],
    ['stripPath', String(route.stripPath)],
    ['timeout', '60s'],
    ['maxBody', formatBytes(route.maxBodyBytes)],
    ['surge', `${rollout.surge.percent}%`],
    ['placement.strategy', specDefaults.placement.strategy.type],
    ['priority', String(specDefaults.priority)],
    ['zone', specDefaults.schedule.zone],
    ['overlap', specDefaults.schedule.overlap],
    ['history', String(specDefaults.schedule.history)],
    ['grace', '60m'],
    ['unavailable', String(rollout.unavailable)],
    ['settle', formatDuration(rollout.settleMs)],
    ['imageTimeout', formatDuration(rollout.imageTimeoutMs)],
  ]
  it.each(defaults)('berth-yaml.md says that %s is %s by default', (key, value) => {
    const rows = guide.split('\n').filter((line) => line.startsWith(`| \`${key}${key.includes('`') ? '' : '`'} `))
    expect(rows.some((row) => row.endsWith(`| ${value} |`))).toBe(true)
  })

  it('speaks of the defaults that are written as minutes elsewhere', () => {
    expect([specDefaults.readyTimeoutMs, route.timeoutMs]).toEqual([60_000, 60_000])
  })
})

/** Names of all keys in the schema. */
function keysOf(schema: unknown): string[] {
  const keys = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, child] of Object.entries(value)) {
      if (name === 'properties') for (const key of Object.keys(child)) keys.add(key)
      if (name !== 'examples') visit(child)
    }
  }
  visit(schema)
  return [...keys]
}
