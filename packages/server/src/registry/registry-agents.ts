import type { RegistryCollection, RegistryOrder, RegistryReport, RegistryTransfer } from '@berth/api'
import { BerthError, type RegistryPlace } from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'

interface CallOptions {
  readonly signal: AbortSignal
}

/** What nodes are asked for the registry's sake. Rejects with `node.offline` when the node is not there, or with the agent's own error. */
export interface RegistryAgents {
  isConnected(node: string): boolean
  /** Nodes that have the image for all that is known. */
  holdersOf(image: string): ReadonlySet<string>
  /** Resolves when it serves. */
  run(node: string, order: RegistryOrder, options: CallOptions): Promise<RegistryReport>
  /** With `app` more is said of each of its images; an agent of before says all images, and no more of them. */
  report(
    node: string,
    options: CallOptions & { readonly size?: boolean; readonly app?: string },
  ): Promise<RegistryReport>
  collect(node: string, remove: readonly RegistryPlace[], options: CallOptions): Promise<RegistryCollection>
  end(node: string, how: { readonly purge: boolean }, options: CallOptions): Promise<void>
  push(node: string, transfer: RegistryTransfer, options: CallOptions): Promise<void>
  pull(node: string, transfer: RegistryTransfer, options: CallOptions): Promise<void>
}

export const createRegistryAgents = (links: AgentLinks): RegistryAgents => ({
  isConnected: (node) => links.isConnected(node),
  holdersOf: (image) => links.holdersOf(image),
  run: (node, order, { signal }) => links.request(node, { method: 'PUT', path: '/v1/registry', body: order, signal }),
  report: (node, { signal, size, app }) => {
    const query = app === undefined ? (size === true ? '?size' : '') : `?app=${encodeURIComponent(app)}`
    return links.request(node, { method: 'GET', path: `/v1/registry${query}`, signal })
  },
  collect: (node, remove, { signal }) =>
    links.request(node, { method: 'POST', path: '/v1/registry/collect', body: { remove }, signal }),
  end: async (node, { purge }, { signal }) => {
    await links.request(node, { method: 'DELETE', path: `/v1/registry?purge=${purge}`, signal })
  },
  push: async (node, transfer, { signal }) => {
    try {
      await links.request(node, { method: 'POST', path: '/v1/images/push', body: transfer, signal })
    } catch (error) {
      if (error instanceof BerthError && error.code === 'engine.image-missing') links.lacksImage(transfer.image, node)
      throw error
    }
  },
  pull: async (node, transfer, { signal }) => {
    await links.request(node, { method: 'POST', path: '/v1/images/pull', body: transfer, signal })
  },
})
