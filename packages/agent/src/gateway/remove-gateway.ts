import { access, rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import { defaults } from '../config.ts'
import { createNginxGateway } from './nginx-gateway.ts'

/** Ends nginx and takes its folder away: what is left there would make the next agent here a gateway, with the last table of this one. */
export async function removeGateway(stateDir: string, log: Logger, graceMs?: number): Promise<void> {
  const wasGateway = await access(stateDir).then(
    () => true,
    () => false,
  )
  if (!wasGateway) return
  await createNginxGateway({ stateDir, httpPort: defaults.httpPort, log }).stop(
    graceMs === undefined ? {} : { graceMs },
  )
  await rm(stateDir, { recursive: true, force: true })
}
