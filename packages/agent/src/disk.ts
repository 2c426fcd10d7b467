import { join } from 'node:path'
import { type AgentConfig, defaults } from './config.ts'
import { RuntimeFiles } from './instance/runtime-files.ts'
import { NodeCredentials } from './link/node-credentials.ts'
import { type NodeIdentity, readIdentity } from './link/node-identity.ts'
import { defaultIntervalMs } from './metrics/collector.ts'
import { UsageHistory } from './metrics/usage-history.ts'
import type { DisposalStack } from './node/disposal-stack.ts'
import { readBootId } from './state/boot-id.ts'
import { InstanceStore } from './state/instance-store.ts'
import { NodeStore } from './state/node-store.ts'
import { openSealer, type Sealer } from './state/sealer.ts'
import { lockState } from './state/state-lock.ts'

/** What lies on this node's disk, opened and locked. */
export interface Disk {
  readonly directory: string
  readonly identity: NodeIdentity
  readonly credentials: NodeCredentials
  readonly files: RuntimeFiles
  readonly boot: string
  readonly sealer: Sealer
  readonly instances: InstanceStore
  readonly node: NodeStore
  readonly usage: UsageHistory
}

/** Throws `agent.not-joined`, `agent.already-running`, `agent.no-tmpfs`. */
export async function openDisk(config: AgentConfig, stack: DisposalStack): Promise<Disk> {
  const { stateDir, runDir = defaults.runDir, log, keepEndedMs = defaults.keepEndedMs } = config
  const directory = join(stateDir, 'agent')
  const identity = await readIdentity(stateDir)
  stack.use(await lockState(join(directory, 'lock')))
  const files = new RuntimeFiles({ stateDir, runDir, log: log.child({ part: 'files' }), keepEndedMs })
  await files.open()
  const boot = await readBootId(runDir)
  const sealer = await openSealer(join(directory, 'seal.key'))
  const instances = stack.use(new InstanceStore(join(directory, 'instances'), sealer, log.child({ part: 'state' })))
  const node = await NodeStore.open(join(directory, 'state.json'), log)
  const credentials = new NodeCredentials(stateDir, identity)
  const history = { path: join(directory, 'usage.json'), sampleMs: defaultIntervalMs }
  const usage = stack.use(await UsageHistory.open({ ...history, log: log.child({ part: 'metrics' }) }))
  return { directory, identity, credentials, files, boot, sealer, instances, node, usage }
}
