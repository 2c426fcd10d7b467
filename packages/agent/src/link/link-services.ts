import type { Readable } from 'node:stream'
import type { CoreReport, MetricsView, UsageReport } from '@berth/api'
import type { Engine } from '../engine/engine.ts'
import type { InstanceLogsDeps } from '../instance/instance-logs.ts'
import type { AddressCollector } from '../network/address-collector.ts'
import type { ConfigKeeper } from '../node-config/config-keeper.ts'
import type { PolicyKeeper } from '../policy/policy-keeper.ts'
import type { ImageTransfers } from '../registry/image-transfers.ts'
import type { RegistryService } from '../registry/registry-service.ts'
import type { RoutingService } from '../routing/routing-service.ts'
import type { OfferedExecutable } from '../upgrade/receive-executable.ts'
import type { AgentRequest } from './agent-request.ts'
import type { BuildRunner } from './build-runner.ts'
import type { NodeCredentials } from './node-credentials.ts'

/** What the streams of a link act upon. */
export interface LinkServices {
  /** Its name. */
  readonly node: string
  readonly engine: Engine
  readonly logs: InstanceLogsDeps
  readonly builds: BuildRunner
  readonly credentials: Pick<NodeCredentials, 'request' | 'install'>
  coreReport(): CoreReport
  usageReport(): UsageReport
  metricsSince(sinceMs: number | undefined): readonly MetricsView[]
  /** Serves the long stream of assignments and reports to its end. */
  sync(request: AgentRequest): Promise<void>
  readonly nodeConfig: Pick<ConfigKeeper, 'plan' | 'take'>
  /** Another executable for this node; false when it runs already. */
  upgrade(offered: OfferedExecutable, body: Readable, signal: AbortSignal): Promise<boolean>
  readonly registry: Pick<RegistryService, 'run' | 'report' | 'collect' | 'end'>
  readonly transfers: Pick<ImageTransfers, 'push' | 'pull'>
  readonly routing: Pick<RoutingService, 'report'>
  readonly addresses: Pick<AddressCollector, 'report' | 'release'>
  readonly policy: Pick<PolicyKeeper, 'counts' | 'drops' | 'flows'>
  /** An image has come to this node. */
  onImage(): void
}
