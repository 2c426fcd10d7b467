import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Assignment, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceKeeper } from '../instance/instance-keepers.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { type InstanceReport, noReport } from './instance-report.ts'
import { InstanceSocket, type SocketSubject } from './instance-socket.ts'
import type { ServiceTable } from './service-table.ts'

export interface SocketKeeperOptions {
  readonly node: string
  /** Of an instance's socket; `berth.sock` is in it. Beside it what the instance has said is kept until a reboot. */
  readonly directoryOf: (instance: string) => string
  readonly services: ServiceTable
  readonly log: Logger
  /** It has said something else of itself. */
  readonly onReport: (instance: string) => void
}

interface Kept {
  assignment: Assignment
  report: InstanceReport
  metrics: ReadonlyMap<string, number>
  socket: InstanceSocket | undefined
  /** Opening, closing and writing of one instance go one after the other. */
  work: Promise<void>
}

/** A value that an instance has told of itself. */
export interface ReportedMetric {
  readonly instance: string
  readonly name: string
  readonly value: number
}

/** The sockets of all instances here that have one. What they have said outlives the agent, and ends with their run. */
export class SocketKeeper implements InstanceKeeper, AsyncDisposable {
  readonly #options: SocketKeeperOptions
  readonly #kept = new Map<string, Kept>()

  constructor(options: SocketKeeperOptions) {
    this.#options = options
  }

  /** What was said to an agent before. Before the instances are told: what was ready is to stay so. */
  async load(assignments: readonly Assignment[]): Promise<void> {
    for (const assignment of assignments) {
      if (assignment.socket === undefined) continue
      const kept = this.#keep(assignment)
      const text = await readFile(this.#reportPath(assignment.instance), 'utf8').catch(() => '')
      kept.report = parseReport(text)
    }
  }

  reportOf(instance: string): InstanceReport {
    return this.#kept.get(instance)?.report ?? noReport
  }

  metrics(): readonly ReportedMetric[] {
    return [...this.#kept].flatMap(([instance, { metrics }]) =>
      [...metrics].map(([name, value]) => ({ instance, name, value })),
    )
  }

  setInstances(assignments: readonly Assignment[]): void {
    const withSocket = assignments.filter(({ socket }) => socket !== undefined)
    const named = new Set(withSocket.map(({ instance }) => instance))
    for (const [instance, kept] of this.#kept) if (!named.has(instance)) this.#drop(instance, kept)
    for (const assignment of withSocket) {
      const kept = this.#keep(assignment)
      kept.assignment = assignment
      if (kept.socket === undefined) void this.#inTurn(kept, () => this.#open(kept)).catch(() => undefined)
    }
  }

  /** A run begins: what the one before has said does not hold of it. */
  async ready(assignment: Assignment): Promise<void> {
    if (assignment.socket === undefined) return
    const kept = this.#keep(assignment)
    await this.#inTurn(kept, async () => {
      await this.#forgetSaid(kept)
      await this.#open(kept)
    })
  }

  forget(instance: string): void {
    const kept = this.#kept.get(instance)
    if (kept !== undefined) void this.#inTurn(kept, () => this.#forgetSaid(kept)).catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#kept.values()].map(async (kept) => {
        await kept.work
        await kept.socket?.[Symbol.asyncDispose]()
      }),
    )
  }

  #keep(assignment: Assignment): Kept {
    const { instance } = assignment
    let kept = this.#kept.get(instance)
    if (kept === undefined) {
      kept = { assignment, report: noReport, metrics: new Map(), socket: undefined, work: Promise.resolve() }
      this.#kept.set(instance, kept)
    }
    return kept
  }

  #drop(instance: string, kept: Kept): void {
    this.#kept.delete(instance)
    void this.#inTurn(kept, async () => {
      await kept.socket?.[Symbol.asyncDispose]()
      // Another of its id may have come.
      if (!this.#kept.has(instance)) await rm(this.#reportPath(instance), { force: true })
    }).catch(() => undefined)
  }

  /** Also where somebody has removed it. */
  async #open(kept: Kept): Promise<void> {
    if (kept.socket !== undefined && (await kept.socket.isThere())) return
    await kept.socket?.[Symbol.asyncDispose]()
    kept.socket = undefined
    const { instance } = kept.assignment
    const path = join(this.#options.directoryOf(instance), 'berth.sock')
    kept.socket = await InstanceSocket.open(path, this.#subjectOf(kept), this.#options.log)
  }

  async #forgetSaid(kept: Kept): Promise<void> {
    kept.metrics = new Map()
    if (kept.report === noReport) return
    kept.report = noReport
    await rm(this.#reportPath(kept.assignment.instance), { force: true })
  }

  #inTurn(kept: Kept, work: () => Promise<void>): Promise<void> {
    const turn = kept.work.then(work)
    kept.work = turn.catch((error: unknown) => {
      const { instance } = kept.assignment
      this.#options.log.warn({ instance, reason: messageOf(error) }, 'the socket of an instance')
    })
    return turn
  }

  #subjectOf(kept: Kept): SocketSubject {
    const { services, node } = this.#options
    return {
      get assignment() {
        return kept.assignment
      },
      describe: () => describe(kept, node),
      services: () => services.servicesOf(kept.assignment),
      watchServices: (listener) => services.watch(listener),
      readiness: (readiness) => this.#say(kept, { ...kept.report, readiness }),
      maintenance: (maintenance) => {
        const { maintenance: _, ...rest } = kept.report
        return this.#say(kept, maintenance === undefined ? rest : { ...rest, maintenance })
      },
      metrics: (values) => {
        kept.metrics = values
      },
    }
  }

  /** Acknowledged when it is on disk: an agent that is killed then is followed by one that knows it. */
  #say(kept: Kept, report: InstanceReport): Promise<void> {
    kept.report = report
    const { instance } = kept.assignment
    this.#options.onReport(instance)
    return this.#inTurn(kept, () => writeFileAtomic(this.#reportPath(instance), JSON.stringify(kept.report)))
  }

  #reportPath(instance: string): string {
    return `${this.#options.directoryOf(instance)}.json`
  }
}

function describe({ assignment, report }: Kept, node: string): object {
  const { instance, app, pool, entrypoint, ordinal, release, commit, address, cpuMilli, memoryBytes, cores } =
    assignment
  return {
    ...{ instance, app, pool, entrypoint, ordinal, release, commit, node, address },
    ...{ cpu: cpuMilli / 1000, memoryBytes, cores },
    ...report,
  }
}

/** On a tmpfs, written at once: what cannot be read was cut by a crash, and the program says it again. */
function parseReport(text: string): InstanceReport {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as InstanceReport) : noReport
  } catch {
    return noReport
  }
}
