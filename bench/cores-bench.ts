import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ContainerCgroup, openCgroup } from '../packages/agent/src/cores/container-cgroup.ts'
import { TestNode } from '../packages/agent/src/testing/test-node.ts'
import type { Assignment, BurstMode } from '../packages/core/src/index.ts'
import type { FigureContext } from './figure.ts'

/** Two instances that share a core of two: one whole core and 0.2 of the other, and the rest of it. */
const promises = [
  { cores: '0,1:200', milli: 1200 },
  { cores: '1:800', milli: 800 },
] as const

/** Busy threads of the two: one, as many as the cores that each is on, and more. */
const threadPairs = [
  [1, 1],
  [1, 4],
  [2, 1],
  [2, 4],
  [4, 1],
  [4, 4],
] as const

const settleMs = 4_000
const windowMs = 8_000
/** A window in which the rest of the machine took more is measured again. */
const quietCores = 0.06
const attempts = 3
/** So long it waits for quiet before a window. */
const patienceMs = 8_000

export interface Window {
  readonly threads: readonly [number, number]
  /** Cores that each used. */
  readonly used: readonly [number, number]
  /** Used ÷ promised, or ÷ what so many threads can use where that is less; 1 for who had nothing to run. */
  readonly kept: readonly [number, number]
  /** Cores that everything else on the machine used meanwhile. */
  readonly others: number
  /** Cores that the agent used. */
  readonly agent: number
}

export interface CoresResult {
  readonly busy: readonly Window[]
  /** One of the two has nothing to do. */
  readonly alone: readonly Window[]
  readonly notes: readonly string[]
}

/** A real agent and a real Docker; CPU time is read from the cgroups' own counters. */
export async function measureCores(burst: BurstMode, { signal, log }: FigureContext): Promise<CoresResult> {
  if (cpus().length !== 2) throw new Error(`two cores are needed for this figure, here are ${cpus().length}`)
  await using node = await TestNode.start()
  const pair = [await start(node, 0, burst), await start(node, 1, burst)] as const
  using _heavy = heavyContainers(pair[0].cgroup)
  const busy: Window[] = []
  for (const threads of threadPairs) busy.push(await quietest(node, pair, threads, signal, log))
  // Others may then use the core that is left: there is no waiting for quiet.
  const alone = [await measure(node, pair, [4, 0], signal), await measure(node, pair, [0, 4], signal)]
  return { busy, alone, notes: notesOn(busy, alone) }
}

function notesOn(busy: readonly Window[], alone: readonly Window[]): string[] {
  const all = [...busy, ...alone]
  const agent = Math.max(...all.map((each) => each.agent))
  const left = Math.min(...busy.flatMap(({ kept, others }) => kept.map((part) => part / Math.min(1, (2 - others) / 2))))
  return [
    `${windowMs / 1000} s each after ${settleMs / 1000} s; the agent used at most ${agent.toFixed(3)} of a core`,
    `other work took ${range(busy.map((each) => each.others))} of 2 cores; of an even share of what it left the least was ${percent(left)}`,
    ...all.map(describe),
  ]
}

/**
 * Starts as many busy loops as the file says whenever its number changes; they end by themselves. Docker has no part in it: it would have to
 * wait for what is measured.
 */
const burner = `last=0
while :; do
  read number threads seconds < /persist/burn || number=$last
  if [ "$number" != "$last" ]; then
    last=$number
    while [ "$threads" -gt 0 ]; do timeout "$seconds" sh -c 'while :; do :; done' & threads=$((threads - 1)); done
    wait
  fi
  sleep 0.1
done`

interface Subject {
  readonly assignment: Assignment
  readonly cgroup: ContainerCgroup
  readonly milli: number
}

let runs = 0

async function start(node: TestNode, index: 0 | 1, burst: BurstMode): Promise<Subject> {
  const { cores, milli } = promises[index]
  const command = ['sh', '-c', burner]
  const assignment = node.assign({ cores, burst, cpuMilli: milli, command, ports: [] })
  await node.server.ready(assignment.instance)
  const roots = { cgroupRoot: '/sys/fs/cgroup', procRoot: '/proc' }
  return { assignment, milli, cgroup: openCgroup(roots, node.host.pidOf(assignment.instance)) }
}

/**
 * Gives the containers of this run as much weight as there is, so that other work on the machine disturbs as little as it can. Among the
 * containers nothing changes.
 */
function heavyContainers({ parents }: ContainerCgroup): Disposable {
  const before = parents.map((parent) => parent.shares())
  for (const parent of parents) parent.setShares(262_144)
  return {
    [Symbol.dispose]() {
      for (const [index, parent] of parents.entries()) parent.setShares(before[index] ?? 1024)
    },
  }
}

type Pair = readonly [Subject, Subject]

/** Measures again while the rest of the machine is busy; the quietest window counts, whatever it shows. */
async function quietest(
  node: TestNode,
  pair: Pair,
  threads: readonly [number, number],
  signal: AbortSignal,
  log: (message: string) => void,
): Promise<Window> {
  let best: Window | undefined
  for (let attempt = 0; attempt < attempts && (best === undefined || best.others > quietCores); attempt += 1) {
    const window = await measure(node, pair, threads, signal)
    log(describe(window))
    if (best === undefined || window.others < best.others) best = window
  }
  if (best === undefined) throw new Error('nothing was measured')
  return best
}

async function measure(
  node: TestNode,
  pair: Pair,
  threads: readonly [number, number],
  signal: AbortSignal,
): Promise<Window> {
  await untilQuiet(pair, signal)
  runs += 1
  for (const [index, { assignment }] of pair.entries()) burn(node, assignment, threads[index] ?? 0)
  await sleep(settleMs, undefined, { signal })
  const before = snapshot(node, pair)
  await sleep(windowMs, undefined, { signal })
  const after = snapshot(node, pair)
  const cores = (from: number, to: number): number => (to - from) / (after.atNs - before.atNs)
  const used = [cores(before.used[0], after.used[0]), cores(before.used[1], after.used[1])] as const
  const kept = ([0, 1] as const).map((index) => {
    const due = Math.min(promises[index].milli / 1000, threads[index])
    return due === 0 ? 1 : used[index] / due
  }) as [number, number]
  const others = Math.max(0, cores(before.busyNs, after.busyNs) - used[0] - used[1])
  return { threads, used, kept, others, agent: cores(before.agentNs, after.agentNs) }
}

function burn(node: TestNode, assignment: Assignment, threads: number): void {
  const seconds = Math.ceil((settleMs + windowMs) / 1000) + 1
  writeFileSync(join(node.persistOf(assignment), 'burn'), `${runs} ${threads} ${seconds}\n`)
}

/** Until the loops of the window before have ended, and for a while for the rest of the machine to be quiet. */
async function untilQuiet(pair: Pair, signal: AbortSignal): Promise<void> {
  const own = () => pair.reduce((sum, { cgroup }) => sum + cgroup.use().usedNs, 0)
  const started = performance.now()
  for (;;) {
    const [ownBefore, allBefore, from] = [own(), busyNs(), performance.now()]
    await sleep(500, undefined, { signal })
    const ns = (performance.now() - from) * 1e6
    const waitedMs = performance.now() - started
    const isIdle = own() - ownBefore < 0.1 * ns
    if (isIdle && (busyNs() - allBefore < quietCores * 2 * ns || waitedMs > patienceMs)) return
    if (waitedMs > patienceMs + 30_000) throw new Error('the busy loops of the window before do not end')
  }
}

function snapshot(node: TestNode, pair: Pair) {
  const used = [pair[0].cgroup.use().usedNs, pair[1].cgroup.use().usedNs] as const
  return { atNs: performance.now() * 1e6, used, busyNs: busyNs(), agentNs: processNs(node.agentPid) }
}

/** Of all cores, in ticks of 10 ms; what the machine's own host took of them was nobody's here either. */
function busyNs(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .map(Number)
  return (user + nice + system + irq + softIrq + steal) * 1e7
}

function processNs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 1e7
}

const describe = ({ threads, used, kept, others }: Window): string =>
  `${threads.join(' and ')} busy threads: ${used.map((each) => each.toFixed(3)).join(' and ')} cores, ${kept.map(percent).join(' and ')} of the promise; others ${others.toFixed(2)}`

export const percent = (part: number): string => `${(part * 100).toFixed(1)} %`

const range = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}`
