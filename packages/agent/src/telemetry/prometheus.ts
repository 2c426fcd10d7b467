import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { BerthError, type InstanceStatus, messageOf } from '@berth/core'
import { Gauge, Registry } from 'prom-client'

export interface PrometheusOptions {
  /** `127.0.0.1:7602`, or `unix:/run/berth/agent-metrics.sock`. */
  readonly listen: string
  readonly statuses: () => readonly InstanceStatus[]
  /** Adds what instances and the node use. */
  readonly registerUsage: (registry: Registry) => void
  readonly isLinked: () => boolean
  readonly isEngineUp: () => boolean
}

/** Serves `/metrics` on this machine only. Throws `agent.metrics-unavailable`. */
export async function servePrometheus(options: PrometheusOptions): Promise<AsyncDisposable> {
  const registry = createRegistry(options)
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('not found; see /metrics\n')
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${messageOf(error)}\n`),
    )
  })
  await listen(server, options.listen)
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server, address: string): Promise<void> {
  const path = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined
  const colon = address.lastIndexOf(':')
  const target =
    path === undefined ? { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) } : { path }
  if (path !== undefined) await rm(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const text = `serve /metrics at ${address}: ${cause.message}; choose another with --metrics-listen`
      reject(new BerthError('agent.metrics-unavailable', text, { cause }))
    })
    server.listen(target, resolve)
  })
}

function createRegistry(options: PrometheusOptions): Registry {
  const registry = new Registry()
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    collect: (each: Gauge<L>) => void,
  ) =>
    new Gauge<L>({
      name: `berth_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        collect(this)
      },
    })
  // Of the default metrics only these: the others wake the process a hundred times a second.
  gauge('agent_resident_memory_bytes', 'Memory of the agent', [], (each) => each.set(process.memoryUsage.rss()))
  gauge('agent_cpu_seconds_total', 'CPU time of the agent', [], (each) => {
    const { user, system } = process.cpuUsage()
    each.set((user + system) / 1e6)
  })
  gauge('agent_link_up', 'Whether a server is linked', [], (each) => each.set(Number(options.isLinked())))
  gauge('agent_engine_up', 'Whether Docker answers', [], (each) => each.set(Number(options.isEngineUp())))
  gauge('agent_instances', 'Instances by phase and readiness', ['phase', 'ready'], (each) => {
    for (const { phase, ready } of options.statuses()) each.inc({ phase, ready: String(ready) })
  })
  gauge('instance_restarts', 'Restarts of an instance by the agent', ['instance'], (each) => {
    for (const { id, restarts } of options.statuses()) each.set({ instance: id }, restarts)
  })
  options.registerUsage(registry)
  return registry
}
