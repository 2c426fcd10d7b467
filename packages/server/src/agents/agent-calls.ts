import type { Readable } from 'node:stream'
import type {
  AgentConfigPlan,
  BuildEvent,
  BuildRequest,
  CertificateDelivery,
  CertificateRequest,
  ConfigOrder,
  CoreReport,
  LogLine,
  MetricsView,
  ReachTarget,
  UsageReport,
} from '@berth/api'
import type { NodeConfig, NodeImage } from '@berth/core'
import type { AgentLink } from './agent-link.ts'
import type { SignalOptions } from './agent-requests.ts'
import * as requests from './agent-requests.ts'
import { listImages, removeImage } from './image-requests.ts'

/** What is asked of agents, over the links that whoever extends it keeps. */
export abstract class AgentCalls {
  /** For parts that look at nodes again by themselves. Throws `node.offline`, `node.not-found`. */
  protected abstract linkOf(node: string): AgentLink

  /** For what people ask: waits a while for the link of a node that is not known to be gone. Rejects with the same. */
  protected abstract linkSoon(node: string, options: SignalOptions): Promise<AgentLink>

  async *logs(node: string, instance: string, options: requests.LogOptions = {}): AsyncGenerator<LogLine> {
    yield* requests.readLogs(await this.linkSoon(node, options), instance, options)
  }

  async exec(node: string, instance: string, options: requests.ExecOptions): Promise<requests.ExecStream> {
    return requests.openExec(await this.linkSoon(node, options), instance, options)
  }

  async sendExecutable(
    node: string,
    offered: { readonly version: string; readonly sha256: string },
    body: Readable,
    options: SignalOptions,
  ): Promise<boolean> {
    return requests.sendExecutable(await this.linkSoon(node, options), offered, body, options)
  }

  async planConfig(node: string, config: NodeConfig, options: SignalOptions = {}): Promise<AgentConfigPlan> {
    return requests.planConfig(await this.linkSoon(node, options), config, options)
  }

  async orderConfig(node: string, order: ConfigOrder, options: SignalOptions = {}): Promise<void> {
    return requests.orderConfig(this.linkOf(node), order, options)
  }

  async execOnNode(node: string, options: requests.ExecOptions): Promise<requests.ExecStream> {
    return requests.openNodeExec(await this.linkSoon(node, options), options)
  }

  async metrics(
    node: string,
    options: SignalOptions & { readonly sinceMs?: number | undefined } = {},
  ): Promise<MetricsView[]> {
    return requests.readMetrics(this.linkOf(node), options)
  }

  async cores(node: string, options: SignalOptions = {}): Promise<CoreReport> {
    return requests.readCores(this.linkOf(node), options)
  }

  async usage(node: string, options: SignalOptions = {}): Promise<UsageReport> {
    return requests.readUsage(this.linkOf(node), options)
  }

  /** Leaving the loop early, or aborting, cancels the build. */
  build(
    node: string,
    request: BuildRequest,
    context: AsyncIterable<Uint8Array>,
    options: SignalOptions = {},
  ): AsyncGenerator<BuildEvent> {
    return requests.runBuild(this.linkOf(node), request, context, options)
  }

  async cancelBuild(node: string, id: string, options: SignalOptions = {}): Promise<void> {
    return requests.cancelBuild(this.linkOf(node), id, options)
  }

  /** The id of an image on that node, which pulls it if need be. */
  async resolveImage(node: string, image: string, options: requests.ResolveOptions = {}): Promise<string> {
    return requests.resolveImage(this.linkOf(node), image, options)
  }

  /** Those of them that answer that node. */
  async reach(
    node: string,
    targets: readonly ReachTarget[],
    options: SignalOptions = {},
  ): Promise<readonly ReachTarget[]> {
    return requests.reachFrom(this.linkOf(node), targets, options)
  }

  async copyImage(image: string, from: string, to: string, options: requests.CopyOptions = {}): Promise<string> {
    return requests.copyImage(this.linkOf(from), this.linkOf(to), image, options)
  }

  async listImages(node: string, options: SignalOptions): Promise<readonly NodeImage[]> {
    return listImages(this.linkOf(node), options)
  }

  async removeImage(node: string, reference: string, options: SignalOptions): Promise<void> {
    return removeImage(this.linkOf(node), reference, options)
  }

  /** One document for another, for parts that know their own paths. */
  async request<T>(node: string, request: Parameters<typeof requests.requestDocument>[1]): Promise<T> {
    return requests.requestDocument<T>(await this.linkSoon(node, request), request)
  }

  async measureSpeed(node: string, options: SignalOptions): Promise<number> {
    return requests.measureSpeed(await this.linkSoon(node, options), options)
  }

  async requestCertificate(node: string, options: SignalOptions): Promise<CertificateRequest> {
    return requests.requestCertificate(this.linkOf(node), options)
  }

  async deliverCertificate(node: string, delivery: CertificateDelivery, options: SignalOptions): Promise<void> {
    return requests.deliverCertificate(this.linkOf(node), delivery, options)
  }
}
