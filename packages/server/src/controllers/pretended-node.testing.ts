import { setTimeout as delay } from 'node:timers/promises'
import type { Assignment, InstanceStatus, NodeStatus, RouteTable } from '@berth/core'
import type { FeedLine, NodeFeed } from '../agents/node-feed.ts'
import type { GatewayReport } from './gateway-reports.ts'

/** What a pretended node tells a server. */
export interface NodeReports {
  status(status: InstanceStatus): Promise<void>
  gateway(report: GatewayReport): void
}

const gatewayDelayMs = 2

/** A node that runs whatever it is told and is a gateway. It outlives servers: it connects to one after the other. */
export class PretendedNode {
  readonly name: string
  readonly assignments = new Map<string, Assignment>()
  readonly #statuses = new Map<string, InstanceStatus>()
  /** Instances that were ordered to stop while this gateway still sent requests to them. */
  readonly stoppedInTraffic: string[] = []
  /** Releases whose instances exit at once. */
  broken: ReadonlySet<string> = new Set()
  /** Jobs begin and do not end. */
  jobsHang = false
  /** Lowers no memory limit, as if all of it were in use. */
  memoryInUse = false
  /** So much later than they start they are ready. */
  readyAfterMs = 0
  /** Takes in no new table. */
  gatewayStuck = false
  /** The table in force, and the newest that was sent. */
  table: RouteTable | undefined
  #sent: RouteTable | undefined
  #reports: NodeReports | undefined
  #unsubscribe: (() => void) | undefined

  constructor(name: string) {
    this.name = name
  }

  /** As an agent does it: takes the snapshot, then says all it knows. The gateway's word comes before the new table is in force. */
  async connect(feed: NodeFeed, reports: NodeReports): Promise<void> {
    this.#reports = reports
    this.#unsubscribe = feed.subscribe(this.name, (line) => this.#take(line))
    const { assignments, routes } = feed.snapshot(this.name)
    for (const assignment of assignments) this.assignments.set(assignment.instance, assignment)
    for (const status of this.#statuses.values()) await reports.status(status)
    if (this.table !== undefined) this.reportGateway()
    // What came meanwhile is newer.
    for (const each of assignments) void this.#run(this.assignments.get(each.instance) ?? each)
    if (routes !== undefined) this.#send(routes)
  }

  /** CPU of what really runs here, in thousandths. */
  get busyMilli(): number {
    const running = [...this.#statuses.values()].filter((each) => each.phase === 'running')
    return running.reduce((sum, { id }) => sum + (this.assignments.get(id)?.cpuMilli ?? 0), 0)
  }

  disconnect(): void {
    this.#unsubscribe?.()
    this.#reports = undefined
  }

  stickGateway(): void {
    this.gatewayStuck = true
  }

  unstickGateway(): void {
    this.gatewayStuck = false
    if (this.#sent !== undefined) this.#apply(this.#sent)
  }

  /** Says again which table is in force. */
  reportGateway(): void {
    this.#reports?.gateway({ version: this.table?.version ?? 0, inflight: {} })
  }

  #take(line: FeedLine): void {
    if (line.type === 'assign') void this.#run(line.assignment)
    else if (line.type === 'routes') this.#send(line.routes)
    else if (line.type === 'forget') {
      this.assignments.delete(line.instance)
      this.#statuses.delete(line.instance)
    }
  }

  #send(table: RouteTable): void {
    this.#sent = table
    setTimeout(() => this.#apply(table), gatewayDelayMs)
  }

  #apply(table: RouteTable): void {
    if (this.gatewayStuck || table.version < (this.table?.version ?? 0)) return
    this.table = table
    this.reportGateway()
  }

  #routesTo(instance: string): boolean {
    const members = this.table?.routes.flatMap((route) => route.targets.flatMap((target) => target.members)) ?? []
    return members.some((member) => member.instance === instance && member.state === 'active')
  }

  async #run(assignment: Assignment): Promise<void> {
    const { instance, desired, release, type } = assignment
    const before = this.#statuses.get(instance)
    this.assignments.set(instance, assignment)
    if (desired === 'stop' && before?.phase === 'running' && this.#routesTo(instance))
      this.stoppedInTraffic.push(instance)
    if (before?.phase === 'ended') return
    if (before !== undefined && desired !== 'stop') return this.#regrant(before, assignment)
    const exits = this.broken.has(release)
    const status: InstanceStatus = { id: instance, node: this.name, phase: 'running', ready: false, restarts: 0 }
    const now = Date.now()
    if (desired === 'stop') await this.#report({ ...status, phase: 'ended', endedAt: now })
    else if (type === 'job') await this.#report(this.#jobStatus(status, exits, now))
    else if (exits) await this.#report({ ...status, ...exited(now), restarts: 3, logTail: ['boom'] })
    else {
      const started = { ...status, startedAt: now, granted: grantedBy(assignment) }
      if (this.readyAfterMs > 0) {
        await this.#report(started)
        await delay(this.readyAfterMs)
        // It was told to stop meanwhile.
        if (this.#statuses.get(instance) !== started) return
      }
      await this.#report({ ...started, ready: true, readyAt: Date.now() })
    }
  }

  async #regrant(before: InstanceStatus, assignment: Assignment): Promise<void> {
    const granted = grantedBy(assignment)
    const had = before.granted?.memoryBytes ?? 0
    if (this.memoryInUse && granted.memoryBytes < had)
      await this.#report({ ...before, granted: { ...granted, memoryBytes: had }, messageCode: 'memory-in-use' })
    else if (JSON.stringify(granted) !== JSON.stringify(before.granted)) await this.#report({ ...before, granted })
  }

  #jobStatus(status: InstanceStatus, exits: boolean, now: number): InstanceStatus {
    if (this.jobsHang) return { ...status, startedAt: now }
    const lastExit = { code: exits ? 3 : 0, outOfMemory: false, at: now }
    return { ...status, phase: 'ended', lastExit, startedAt: now, endedAt: now }
  }

  async #report(status: InstanceStatus): Promise<void> {
    this.#statuses.set(status.id, status)
    // Of a server that stops at this moment nothing is heard any more; the next one is told all of it.
    const reports = this.#reports
    await reports?.status(status).catch(() => {
      if (this.#reports === reports) this.disconnect()
    })
  }
}

const grantedBy = ({ cpuMilli, memoryBytes, cores }: Assignment): NonNullable<InstanceStatus['granted']> => ({
  ...{ cpuMilli, memoryBytes },
  ...(cores === undefined ? {} : { cores }),
})

const exited = (at: number) => ({ lastExit: { code: 3, outOfMemory: false, at } })

export const plainStatus: NodeStatus = {
  name: '',
  online: true,
  cpuMilli: 4000,
  memoryBytes: 8 * 1024 ** 3,
  diskBytes: 1e12,
  diskFreeBytes: 1e12,
  agentVersion: '0.1.0',
  engineVersion: '',
  engineApi: '',
  kernel: '',
  os: '',
  cgroup: 'v1',
  gateway: true,
  problems: [],
}
