import { access, rm } from 'node:fs/promises'
import { renderPortRoutes } from '@berth/core'
import type { Logger } from 'pino'
import { defaults } from '../config.ts'
import { mustRun, runCommand } from '../network/run-command.ts'
import { createNginxGateway } from './nginx-gateway.ts'

/** Ends nginx and routes of ports, and takes their folder away: what is left there would make the next agent here a gateway, with the last table of this one. */
export async function removeGateway(stateDir: string, log: Logger, graceMs?: number): Promise<void> {
  const wasGateway = await access(stateDir).then(
    () => true,
    () => false,
  )
  if (!wasGateway) return
  await mustRun(runCommand, 'nft', ['-f', '-'], { input: renderPortRoutes([], { own: [], pools: [] }).ruleset })
  await createNginxGateway({ stateDir, httpPort: defaults.httpPort, log }).stop(
    graceMs === undefined ? {} : { graceMs },
  )
  await rm(stateDir, { recursive: true, force: true })
}
