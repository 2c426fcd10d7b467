import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { repeat } from '../../node/repeat.ts'
import { watchDirectory } from '../../node/watch-directory.ts'
import { PortHolder } from '../publish/port-holder.ts'
import { createPortKernel, type PortKernel } from '../publish/port-kernel.ts'
import { PortPublisher } from '../publish/port-publisher.ts'
import { type Exec, runCommand } from '../run-command.ts'
import { ClosedContainers } from './closed-containers.ts'
import { EndpointCollector } from './endpoint-collector.ts'
import { createEndpointLinks, type EndpointLinks } from './endpoint-links.ts'
import { EndpointRecords, inForceMark } from './endpoint-records.ts'
import { Endpoints } from './endpoints.ts'
import { RoutedIpamDriver } from './ipam-driver.ts'
import { RoutedNetworkDriver } from './network-driver.ts'
import { PluginServer } from './plugin-server.ts'
import { PluginSettings } from './plugin-settings.ts'

/** Where Docker looks for a driver of the name `berth`. */
export const pluginSocketPath = '/run/docker/plugins/berth.sock'

export interface ContainerPluginOptions {
  /** Berth's state directory; the agent's settings are in `netd/` below it. */
  readonly stateDir: string
  /** Emptied by a reboot. */
  readonly runDir: string
  readonly log: Logger
  /** Default: {@link pluginSocketPath}. */
  readonly socketPath?: string
  readonly exec?: Exec
  readonly links?: EndpointLinks
  readonly ports?: PortKernel
  readonly now?: () => number
  readonly collectIntervalMs?: number
  readonly keepIntervalMs?: number
}

export const endpointDirectory = (runDir: string): string => join(runDir, 'netd', 'endpoints')

const keepIntervalMs = 5_000
const collectIntervalMs = 15_000

/**
 * Docker's network and IPAM driver `berth`. It answers from this node's disk and kernel alone and calls neither Docker nor a server: Docker
 * waits for its answers, and would wait for ever. To be started before dockerd. Never throws: a socket that cannot be made is tried again.
 */
export async function startContainerPlugin(options: ContainerPluginOptions): Promise<AsyncDisposable> {
  const { stateDir, runDir, log, exec = runCommand, now = Date.now, socketPath = pluginSocketPath } = options
  const settings = new PluginSettings(stateDir, log)
  const records = new EndpointRecords(endpointDirectory(runDir))
  const closed = new ClosedContainers({ records, exec, log })
  const endpoints = new Endpoints({ records, closed, links: options.links ?? createEndpointLinks(exec), now })
  const holder = new PortHolder()
  const publisher = new PortPublisher({
    ...{ records, holder, log, kernel: options.ports ?? createPortKernel(exec) },
    others: async () => ({ ports: [], ...(await settings.sources()) }),
  })
  const handlers = {
    '/Plugin.Activate': () => ({ Implements: ['NetworkDriver', 'IpamDriver'] }),
    ...new RoutedNetworkDriver({ settings, endpoints, publisher }).handlers,
    ...new RoutedIpamDriver({ settings, endpoints, now }).handlers,
  }
  const server = new PluginServer(socketPath, handlers, log)
  let reported = ''
  const serve = async (work: Promise<void>): Promise<void> => {
    const problem = await work.then(() => '', messageOf)
    if (problem !== '' && problem !== reported) log.error({ problem }, 'containers of driver berth cannot start')
    reported = problem
  }
  await serve(server.open())
  const keeping = repeat(options.keepIntervalMs ?? keepIntervalMs, async () => {
    await serve(server.keep())
    await publisher.keep()
    await closed.keep()
  })
  // What the agent says of them counts at once.
  const watching = watchDirectory(endpointDirectory(runDir), (name) => {
    if (name?.endsWith(inForceMark) === true) void closed.keep()
  })
  const collector = new EndpointCollector({ endpoints, now, log })
  const collecting = repeat(options.collectIntervalMs ?? collectIntervalMs, async () => {
    await collector
      .collect()
      .catch((error: unknown) => log.warn({ error: messageOf(error) }, 'cannot look for leftovers'))
  })
  return {
    async [Symbol.asyncDispose]() {
      watching[Symbol.dispose]()
      await keeping[Symbol.asyncDispose]()
      await collecting[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
      await holder[Symbol.asyncDispose]()
    },
  }
}
