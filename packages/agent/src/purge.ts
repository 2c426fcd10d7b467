import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { defaults } from './config.ts'
import { createNginxGateway } from './gateway/nginx-gateway.ts'
import { RuntimeFiles } from './instance/runtime-files.ts'
import { createNodeNetwork } from './network/node-network.ts'

export interface PurgeOptions {
  readonly stateDir: string
  /** Default `/run/berth`. */
  readonly runDir?: string
  readonly dockerSocket: string
  readonly log: Logger
  readonly signal?: AbortSignal
}

/**
 * Takes what Berth has made outside its folders off this machine: the gateway's nginx, the network with its bridge, routes, rules and the
 * names' address, the memory that secrets were in. The agent must have ended, else it would make them again. Returns what could not be removed, a sentence each.
 */
export async function purgeNode(options: PurgeOptions): Promise<string[]> {
  const { stateDir, runDir = defaults.runDir, dockerSocket, log, signal } = options
  const problems: string[] = []
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      problems.push(`${what}: ${messageOf(error)}`)
    }
  }
  const gatewayDir = join(stateDir, 'agent', 'gateway')
  const wasGateway = await access(gatewayDir).then(
    () => true,
    () => false,
  )
  if (wasGateway) {
    await attempt('stop the gateway', () =>
      createNginxGateway({ stateDir: gatewayDir, httpPort: defaults.httpPort, log }).stop(),
    )
  }
  await attempt('remove the network', async () => {
    await using network = createNodeNetwork({ socketPath: dockerSocket, log })
    await network.remove(signal === undefined ? {} : { signal })
  })
  await attempt('unmount the secrets', () => new RuntimeFiles({ stateDir, runDir }).unmount())
  return problems
}
