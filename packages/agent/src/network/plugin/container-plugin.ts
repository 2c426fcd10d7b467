import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { repeat } from '../../node/repeat.ts'
import { type Exec, runCommand } from '../run-command.ts'
import { EndpointCollector } from './endpoint-collector.ts'
import { createEndpointLinks, type EndpointLinks } from './endpoint-links.ts'
import { EndpointRecords } from './endpoint-records.ts'
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
  readonly now?: () => number
  readonly collectIntervalMs?: number
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
  const endpoints = new Endpoints({ records, links: options.links ?? createEndpointLinks(exec), now })
  const handlers = {
    '/Plugin.Activate': () => ({ Implements: ['NetworkDriver', 'IpamDriver'] }),
    ...new RoutedNetworkDriver({ settings, endpoints }).handlers,
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
  const timer = setInterval(() => void serve(server.keep()), keepIntervalMs).unref()
  const collector = new EndpointCollector({ endpoints, now, log })
  const collecting = repeat(options.collectIntervalMs ?? collectIntervalMs, async () => {
    await collector
      .collect()
      .catch((error: unknown) => log.warn({ error: messageOf(error) }, 'cannot look for leftovers'))
  })
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await collecting[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}
