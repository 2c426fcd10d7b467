/**
 * Runs every check and ends with `N passed, N failed`. Called by `./test` once what the checks need is installed. A step that has no
 * test runner of its own counts as one check.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')
const bin = (name: string): string => join(root, 'node_modules', '.bin', name)

interface Outcome {
  readonly name: string
  readonly passed: number
  readonly failed: number
  readonly seconds: number
}

interface Failure {
  /** The file from the root of the project on, and the names of the test and of what it is in. */
  readonly where: string
  readonly messages: readonly string[]
}

/** What is read of vitest's own report; times in ms since the epoch. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly FileReport[]
}

interface FileReport {
  readonly name: string
  readonly startTime: number
  readonly endTime: number
  /** Why the file could not be run. */
  readonly message: string
  readonly assertionResults: readonly {
    readonly status: string
    readonly fullName: string
    readonly failureMessages?: readonly string[]
  }[]
}

const { values: options } = parseArgs({
  options: { long: { type: 'boolean' }, only: { type: 'string', multiple: true } },
})
const results: Outcome[] = []
const failures: Failure[] = []
/** Of all steps, whether asked for or not. */
const names: string[] = []

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Said in one piece at the end: of two that run at a time, lines of one would stand between those of the other. */
  readonly isHeld?: boolean
  readonly title?: string
}

function run(argv: readonly string[], { env = {}, isHeld = false, title = '' }: RunOptions = {}): Promise<number> {
  const [command = '', ...rest] = argv
  return new Promise((resolve) => {
    const held: Buffer[] = []
    const child = spawn(command, rest, {
      cwd: root,
      stdio: isHeld ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
      // Not every tool sees by itself that it writes to a file.
      env: { ...process.env, ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }), ...env },
    })
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`)
      resolve(127)
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => held.push(data))
    child.once(isHeld ? 'close' : 'exit', (code: number | null) => {
      if (isHeld) process.stdout.write(Buffer.concat([Buffer.from(`\n== what ${title} said\n`), ...held]))
      resolve(code ?? 1)
    })
  })
}

async function step(name: string, action: () => Promise<{ passed: number; failed: number }>): Promise<void> {
  names.push(name)
  if (options.only !== undefined && !options.only.includes(name)) return
  console.log(`\n== ${name}`)
  const started = performance.now()
  const counts = await action()
  results.push({ name, ...counts, seconds: (performance.now() - started) / 1000 })
}

const check = (name: string, argv: readonly string[]): Promise<void> =>
  step(name, async () => ((await run(argv)) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }))

interface VitestOptions extends RunOptions {
  /** A command that runs the one that follows it. */
  readonly within?: readonly string[]
}

/** Vitest's own counts; a run that crashed before it could report counts as one failure. */
function vitest(name: string, argv: readonly string[], { within = [], ...options }: VitestOptions = {}): Promise<void> {
  return step(name, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'berth-check-'))
    const file = join(dir, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const code = await run(
      [...within, bin('node'), join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...argv, ...reporters],
      { ...options, title: name },
    )
    const report = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : undefined
    rmSync(dir, { recursive: true })
    const passed = report?.numPassedTests ?? 0
    const failed = report?.numFailedTests ?? 0
    printSlowest(report?.testResults ?? [])
    failures.push(...(report?.testResults ?? []).flatMap(failuresOf))
    return { passed, failed: code !== 0 && failed === 0 ? 1 : failed }
  })
}

function failuresOf({ name, message, assertionResults }: FileReport): Failure[] {
  const file = relative(root, name)
  const tests = assertionResults.filter(({ status }) => status === 'failed')
  if (tests.length === 0) return message === '' ? [] : [{ where: file, messages: [message] }]
  return tests.map(({ fullName, failureMessages = [] }) => ({
    where: `${file}: ${fullName}`,
    messages: failureMessages,
  }))
}

/** Said again where one looks: what failed is somewhere in thousands of lines. */
function printFailures(): void {
  for (const { where, messages } of failures) {
    console.log(`\nFAILED ${where}`)
    for (const line of messages.join('\n').split('\n').slice(0, 60)) console.log(`   ${line.slice(0, 400)}`)
  }
}

/** Once more in few words: of a long log often only the end is kept. */
function printFailuresInShort(): void {
  for (const { where, messages } of failures)
    console.log(`FAILED ${where}\n   ${messages.join(' ').replace(/\s+/g, ' ').slice(0, 300)}`)
}

/** The files that took longest: there is little time in all, and it is spent in few of them. */
function printSlowest(files: Report['testResults']): void {
  const timed = files.map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
  const slowest = timed.sort((a, b) => b.seconds - a.seconds).slice(0, 15)
  for (const { name, seconds } of slowest) console.log(`${seconds.toFixed(0).padStart(6)} s  ${relative(root, name)}`)
}

const form = options.long === true ? { BERTH_TEST_LONG: '1' } : {}
/** Every file of tests loads much the same modules. */
const compiledOnce = { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node') }
/**
 * Chromium drops what it is loading whenever an interface of its machine comes or goes, as they do for other tests. In a network of
 * its own none does. It has one interface besides the loopback, for a browser without any says that it is offline.
 */
const ownNetwork = [
  ...['unshare', '--net', 'sh', '-ec'],
  'ip link set lo up; ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up; ip address add 192.0.2.1/24 dev up0; exec "$@"',
  'own-network',
]

await check('lint', [bin('biome'), 'ci', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.'])
for (const name of ['core', 'console']) await check(`types ${name}`, [bin('tsc'), '-p', `packages/${name}`])
await check('types console tests', [bin('tsc'), '-p', 'packages/console/tsconfig.test.json'])
// All that runs on Node.js is one program: much of it imports much of the rest, which would else be read and checked for each part again.
await check('types node', [bin('tsc'), '-p', 'tsconfig.node.json'])
await check('dependency rules', [bin('node'), bin('depcruise'), '--config', '.dependency-cruiser.mjs', 'packages'])
const units = { env: { ...form, ...compiledOnce } }
// Browsers wait much, and what is pure asks no clock: side by side they take little longer than one of them. The others do ask.
await Promise.all([
  vitest('pure', ['--project', 'pure', '--project', 'console'], units),
  vitest('browser', ['--project', 'browser'], { env: compiledOnce, within: ownNetwork, isHeld: true }),
])
// Most of their time they wait, for Docker, for other programs, for clocks: one more at a time than of the others keeps two cores busy.
await vitest('unit and contract', ['--project', 'parts', '--project', 'servers', '--maxWorkers=4'], units)
await check('build binary', [bin('node'), 'scripts/build-binary.ts'])
await vitest('end to end', ['--config', 'e2e/vitest.config.ts'], { env: form })

printFailures()
console.log('')
printFailuresInShort()
for (const { name, passed, failed, seconds } of results) {
  console.log(
    `${failed === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(22)} ${passed} passed, ${failed} failed  (${seconds.toFixed(0)} s)`,
  )
}
const sum = (pick: (outcome: Outcome) => number): number => results.reduce((total, each) => total + pick(each), 0)
const failed = sum((each) => each.failed)
console.log(`${sum((each) => each.passed)} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
const unknown = options.only?.filter((name) => !names.includes(name)) ?? []
if (unknown.length > 0) {
  console.error(`no step "${unknown.join('", "')}"; there are: ${names.join(', ')}`)
  process.exitCode = 2
}
