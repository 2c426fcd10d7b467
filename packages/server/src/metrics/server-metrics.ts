import { readFileSync } from 'node:fs'
import { fromRequestCounts } from '@berth/core'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { State } from '../records/index.ts'
import type { EntrypointRequests } from '../traffic/request-stats.ts'

export interface MetricsSources {
  readonly state: State
  readonly version: string
  readonly isOnline: (node: string) => boolean
  readonly isConnected: (node: string) => boolean
  readonly requests: () => readonly EntrypointRequests[]
}

/** What the server tells Prometheus: itself, and the cluster as its records have it. Gauges are read when they are asked for. */
export class ServerMetrics {
  readonly #registry = new Registry()
  readonly #requests: Counter<'method' | 'route' | 'status'>
  readonly #durations: Histogram<'method' | 'route'>

  constructor(sources: MetricsSources) {
    const registers = [this.#registry]
    this.#requests = new Counter({
      name: 'berth_http_requests_total',
      help: 'Answered calls of the API',
      labelNames: ['method', 'route', 'status'],
      registers,
    })
    this.#durations = new Histogram({
      name: 'berth_http_request_duration_seconds',
      help: 'Duration of calls that are answered with one document',
      labelNames: ['method', 'route'],
      buckets: [0.005, 0.025, 0.1, 0.5, 2.5],
      registers,
    })
    addProcessGauges(this.#registry, sources.version)
    addClusterGauges(this.#registry, sources)
    addRequestCounters(this.#registry, sources.requests)
  }

  countRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requests.inc({ method, route, status })
    this.#durations.observe({ method, route }, seconds)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async text(): Promise<string> {
    return await this.#registry.metrics()
  }
}

function addProcessGauges(registry: Registry, version: string): void {
  const registers = [registry]
  new Gauge({ name: 'berth_server_info', help: 'Version', labelNames: ['version'], registers }).set({ version }, 1)
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  new Gauge({
    name: 'process_private_memory_bytes',
    help: 'Resident anonymous memory (RssAnon)',
    registers,
    collect() {
      this.set(privateMemoryBytes())
    },
  })
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time used',
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    },
  })
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start',
    registers,
    collect() {
      this.set(Math.round(Date.now() / 1000 - process.uptime()))
    },
  })
}

function privateMemoryBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(match?.[1] ?? 0) * 1024
}

function addClusterGauges(registry: Registry, { state, isOnline, isConnected }: MetricsSources): void {
  const registers = [registry]
  new Gauge({
    name: 'berth_store_revision',
    help: 'Revision that the server has seen',
    registers,
    collect() {
      this.set(state.revision)
    },
  })
  new Gauge({
    name: 'berth_records',
    help: 'Records by kind',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const kind of ['apps', 'releases', 'builds', 'pools', 'rollouts', 'instances', 'events'] as const)
        this.set({ kind }, state[kind].size)
    },
  })
  new Gauge({
    name: 'berth_node_online',
    help: '1 for a node that was heard of within the last 10 seconds',
    labelNames: ['node'],
    registers,
    collect() {
      this.reset()
      for (const node of state.nodes.ids()) this.set({ node }, isOnline(node) ? 1 : 0)
    },
  })
  new Gauge({
    name: 'berth_agent_connected',
    help: '1 for a node whose agent has a link to this server',
    labelNames: ['node'],
    registers,
    collect() {
      this.reset()
      for (const node of state.nodes.ids()) this.set({ node }, isConnected(node) ? 1 : 0)
    },
  })
  new Gauge({
    name: 'berth_node_certificate_expires_timestamp_seconds',
    help: 'End of the certificate that a node was given last',
    labelNames: ['node'],
    registers,
    collect() {
      this.reset()
      for (const { name: node, certificateExpiresAt } of state.nodes.values())
        if (certificateExpiresAt !== undefined) this.set({ node }, certificateExpiresAt / 1000)
    },
  })
  addInstanceGauges(registry, state)
}

function addInstanceGauges(registry: Registry, state: State): void {
  const labelNames = ['app', 'pool', 'entrypoint']
  const registers = [registry]
  new Gauge({
    name: 'berth_pool_wanted_instances',
    help: 'Instances that should run',
    labelNames,
    registers,
    collect() {
      this.reset()
      for (const { app, name, replicas } of state.pools.values())
        for (const [entrypoint, { count }] of Object.entries(replicas)) this.set({ app, pool: name, entrypoint }, count)
    },
  })
  new Gauge({
    name: 'berth_pool_ready_instances',
    help: 'Instances that are ready',
    labelNames,
    registers,
    collect() {
      this.reset()
      for (const { id, app, pool, entrypoint } of state.instances.values())
        this.inc({ app, pool, entrypoint }, state.statuses.field(id, 'ready') === true ? 1 : 0)
    },
  })
}

/** Over all gateways, since this server was started; each gateway's agent tells them by instance, with answer times. */
function addRequestCounters(registry: Registry, requests: MetricsSources['requests']): void {
  const registers = [registry]
  const labelNames = ['app', 'pool', 'entrypoint'] as const
  new Counter({
    name: 'berth_pool_requests_total',
    help: 'Requests that gateways have answered, by class',
    labelNames: [...labelNames, 'class'],
    registers,
    collect() {
      this.reset()
      for (const { app, pool, entrypoint, counts } of requests())
        for (const [index, count] of fromRequestCounts(counts).classes.entries())
          this.inc({ app, pool, entrypoint, class: `${index + 1}xx` }, count)
    },
  })
  new Counter({
    name: 'berth_pool_requests_lost_total',
    help: 'Requests that no instance answered; they are among the 5xx',
    labelNames: [...labelNames],
    registers,
    collect() {
      this.reset()
      for (const { app, pool, entrypoint, counts } of requests())
        this.inc({ app, pool, entrypoint }, fromRequestCounts(counts).lost)
    },
  })
}
