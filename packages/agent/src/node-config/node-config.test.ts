import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigOrder } from '@berth/api'
import { emptyNodeConfig, type ItemChange, type Items, type NodeConfig } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { ConfigKeeper } from './config-keeper.ts'
import { ConfigMemoryFile } from './config-memory.ts'
import { FileItems } from './file-items.ts'
import { HealthGate } from './health-gate.ts'
import { runHere } from './host-run.ts'
import type { MachineItems } from './item-kind.ts'
import { Machine } from './machine.ts'
import { SysctlItems } from './sysctl-items.ts'

const log = pino({ level: 'silent' })
const { signal } = new AbortController()
let dir: string
let keepers: ConfigKeeper[]
let ready: string[]
let docker: Record<string, unknown>
let dockerFails: boolean

/** A dockerd that is a document. */
const pretendedDocker: MachineItems = {
  read: async (names) => Object.fromEntries(names.map((name) => [`docker/${name}`, docker[name] ?? null])) as Items,
  write: async (changes: readonly ItemChange[]) => {
    for (const { key, after } of changes) docker[key.slice(7)] = after
    if (dockerFails && changes.some(({ after }) => after === 'bad'))
      throw new Error('dockerd ends as soon as it is started')
  },
  problems: async () => [],
}
const noPackages: MachineItems = { read: async () => ({}), write: async () => undefined, problems: async () => [] }

async function openKeeper(): Promise<ConfigKeeper> {
  const sysctl = new SysctlItems({ file: join(dir, 'sysctl.conf'), pathOf: (name) => join(dir, name) })
  const keeper = new ConfigKeeper({
    ...{ log, onChange: () => undefined, undoAgainMs: 50 },
    file: await ConfigMemoryFile.open(join(dir, 'memory.json'), log),
    machine: new Machine({ package: noPackages, file: new FileItems(), sysctl, docker: pretendedDocker }),
    gate: new HealthGate({
      ...{ ping: async () => undefined, isEngineUp: () => true, heardAt: () => performance.now() + 1 },
      readiness: () => ({ ready, wanted: new Set(['web-1']) }),
    }),
  })
  keepers.push(keeper)
  await keeper.start()
  return keeper
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-node-config-'))
  keepers = []
  ready = ['web-1']
  docker = { own: 1, 'log-driver': 'json-file' }
  dockerFails = false
  writeFileSync(join(dir, 'a.b'), '1\n')
})
afterEach(async () => {
  for (const each of keepers) await each[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})

const owner = 'root:root'
const file = (content: string, more = {}) => ({ [join(dir, 'conf')]: { content, mode: '0640', owner, ...more } })
const config = (change: Partial<NodeConfig>): NodeConfig => ({ ...emptyNodeConfig, ...change })
const order = (version: number, change: Partial<NodeConfig>, withinMs = 5000): ConfigOrder => ({
  ...{ id: `o${version}`, version, withinMs, config: config(change) },
})
const setting = () => readFileSync(join(dir, 'a.b'), 'utf8').trim()
const content = () => readFileSync(join(dir, 'conf'), 'utf8')
const all = (value: string) => ({
  sysctls: { 'a.b': value },
  files: file(`v${value}\n`),
  docker: { 'log-driver': value },
})

async function end(keeper: ConfigKeeper, state: 'applied' | 'undone') {
  await waitUntil(`it to be ${state}`, () => keeper.report?.state === state, 20_000)
  return keeper.report
}

describe('an order', () => {
  it('is carried out, kept over a restart of the agent, and given back', async () => {
    const keeper = await openKeeper()
    expect(keeper.report).toBeUndefined()
    await keeper.take(order(1, all('2')), { signal })
    expect(await end(keeper, 'applied')).toMatchObject({ version: 1, order: 'o1' })
    expect([setting(), content(), docker]).toEqual(['2', 'v2\n', { own: 1, 'log-driver': '2' }])
    expect(readFileSync(join(dir, 'sysctl.conf'), 'utf8')).toContain('a.b = 2')
    expect(statSync(join(dir, 'conf')).mode & 0o777).toBe(0o640)
    const next = await openKeeper()
    expect(next.report).toMatchObject({ version: 1, state: 'applied' })
    await next.take(order(2, {}), { signal })
    await waitUntil('version 2', () => next.report?.version === 2, 20_000)
    expect([setting(), existsSync(join(dir, 'conf')), docker['log-driver'], docker.own]).toEqual([
      '1',
      false,
      'json-file',
      1,
    ])
    expect(existsSync(join(dir, 'sysctl.conf'))).toBe(false)
  })

  it.each<[string, () => Partial<NodeConfig>, string, string[]]>([
    [
      'a check fails',
      () => ({ checks: [{ command: ['sh', '-c', 'echo not well; exit 7'], timeoutMs: 1000 }] }),
      'ended with 7',
      ['not well'],
    ],
    [
      'a command of a file fails',
      () => ({ files: file('x\n', { run: ['sh', '-c', 'echo no >&2; exit 1'] }) }),
      'ended with 1',
      ['no'],
    ],
    [
      'there is no such program',
      () => ({ checks: [{ command: ['no-such-program'], timeoutMs: 1000 }] }),
      'ended with 127',
      ['no-such-program is not there'],
    ],
    [
      'an owner is unknown',
      () => ({ files: file('x\n', { owner: 'nobody-knows:root' }) }),
      'has no user nobody-knows',
      [],
    ],
    ['dockerd does not come up', () => ({ docker: { 'log-driver': 'bad' } }), 'ends as soon as', []],
  ])('is undone when %s, with the last lines of what failed', async (_, bad, why, output) => {
    const keeper = await openKeeper()
    await keeper.take(order(1, all('2')), { signal })
    await end(keeper, 'applied')
    dockerFails = true
    await keeper.take(order(2, { ...all('3'), ...bad() }, 1000), { signal })
    expect(await end(keeper, 'undone')).toMatchObject({
      version: 1,
      order: 'o2',
      why: expect.stringContaining(why),
      output,
    })
    expect([setting(), content(), docker['log-driver']]).toEqual(['2', 'v2\n', '2'])
    expect(readFileSync(join(dir, 'sysctl.conf'), 'utf8')).toContain('a.b = 2')
  })

  it('is undone when an instance is not ready any more', async () => {
    const keeper = await openKeeper()
    await keeper.take(order(1, { ...all('2'), files: file('x\n', { run: ['sleep', '0.5'] }) }, 1000), { signal })
    ready = []
    expect(await end(keeper, 'undone')).toMatchObject({
      version: 0,
      why: expect.stringContaining('web-1 is not ready any more'),
    })
    expect([setting(), existsSync(join(dir, 'conf'))]).toEqual(['1', false])
  })

  it('that cannot be done changes nothing, and says all that stands in the way', async () => {
    const keeper = await openKeeper()
    const impossible = {
      sysctls: { 'no.such': '1', 'a.b': '5' },
      files: { [dir]: { content: '', mode: '0644', owner } },
    }
    await keeper.take(order(1, impossible), { signal })
    expect(keeper.report).toMatchObject({
      state: 'undone',
      why: expect.stringMatching(/is no file on this machine; .*no setting no\.such/),
    })
    expect(setting()).toBe('1')
  })

  it('is refused while another one is under way, and taken once however often it comes', async () => {
    const keeper = await openKeeper()
    const slow = order(1, { files: file('x\n', { run: ['sleep', '1'] }) })
    await keeper.take(slow, { signal })
    await keeper.take(slow, { signal })
    await expect(keeper.take(order(2, {}), { signal })).rejects.toMatchObject({ code: 'configuration.busy' })
    await end(keeper, 'applied')
    await keeper.take(slow, { signal })
    expect(keeper.report).toMatchObject({ state: 'applied' })
  })

  it('goes on after its agent was ended in the middle, and is undone the second time', async () => {
    const slow = order(1, {
      ...all('2'),
      files: file('x\n', { run: ['sh', '-c', `echo run >>${join(dir, 'runs')}; sleep 1`] }),
    })
    const runs = () => (existsSync(join(dir, 'runs')) ? readFileSync(join(dir, 'runs'), 'utf8').length / 4 : 0)
    const first = await openKeeper()
    await first.take(slow, { signal })
    await waitUntil('the command', () => runs() === 1, 20_000)
    await first[Symbol.asyncDispose]()
    const second = await openKeeper()
    expect(second.report).toMatchObject({ state: 'applying', order: 'o1' })
    await waitUntil('the command', () => runs() === 2, 20_000)
    await second[Symbol.asyncDispose]()
    const third = await openKeeper()
    expect(await end(third, 'undone')).toMatchObject({ version: 0, why: expect.stringContaining('interrupted') })
    expect([setting(), existsSync(join(dir, 'conf')), docker['log-driver']]).toEqual(['1', false, 'json-file'])
  })
})

it('tells drift without contents, and plans show those that anybody may read', async () => {
  const keeper = await openKeeper()
  await keeper.take(order(1, all('2')), { signal })
  await end(keeper, 'applied')
  writeFileSync(join(dir, 'conf'), 'by hand\n')
  writeFileSync(join(dir, 'a.b'), '7\n')
  await keeper.lookForDrift({ signal })
  const keys = keeper.report?.drift?.map(({ key }) => key)
  expect(keys).toEqual([`file${join(dir, 'conf')}`, 'sysctl/a.b'])
  expect(JSON.stringify(keeper.report)).not.toContain('by hand')
  const hidden = await keeper.plan(config(all('2')), { signal })
  expect(JSON.stringify(hidden)).not.toContain('by hand')
  const shown = await keeper.plan(config({ files: file('new\n', { mode: '0644' }) }), { signal })
  expect(JSON.stringify(shown)).toContain('new\\n')
  expect(shown).toMatchObject({ docker: 'restart', leftAsFound: ['sysctl/a.b'] })
})

it('sets a damaged memory aside', async () => {
  writeFileSync(join(dir, 'memory.json'), 'rubbish')
  expect((await openKeeper()).report).toBeUndefined()
  expect(readFileSync(join(dir, 'memory.json.corrupt'), 'utf8')).toBe('rubbish')
})

it('ends a command with all that it has started when its time is over', async () => {
  const ran = await runHere(['sh', '-c', 'echo begun; sleep 60 & wait'], { timeoutMs: 300, signal })
  expect(ran).toMatchObject({ code: 124, tail: ['begun', '(ended after 0.3 s)'] })
})
