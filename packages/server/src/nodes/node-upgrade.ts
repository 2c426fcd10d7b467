import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { BerthError, type Node, tooFarApart, versionDistance } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records } from '../records/index.ts'
import type { Nodes } from './nodes.ts'

export interface UpgradeAgents {
  /** False when the node runs that very executable already. */
  sendExecutable(
    node: string,
    offered: { readonly version: string; readonly sha256: string },
    body: Readable,
    options: { readonly signal: AbortSignal },
  ): Promise<boolean>
}

export interface NodeUpgradeOptions {
  readonly records: Records
  readonly nodes: Nodes
  readonly agents: UpgradeAgents
  readonly version: string
  /** The file that this server runs from; absent: it runs from sources. */
  readonly executable?: string | undefined
}

export interface StartedUpgrade {
  readonly node: Node
  readonly from: string
  readonly to: string
  readonly started: boolean
}

/** Brings nodes to the server's version, by the server's own executable over the agents' links. */
export class NodeUpgrade {
  readonly #options: NodeUpgradeOptions
  #sha256: Promise<string> | undefined

  constructor(options: NodeUpgradeOptions) {
    this.#options = options
  }

  /** Resolves when the node has it whole and has begun; how it ends is in its status. Throws `upgrade.*`, `node.offline`. */
  async start(name: string, context: CallContext, signal: AbortSignal): Promise<StartedUpgrade> {
    const { records, nodes, agents, version, executable } = this.#options
    const node = nodes.require(name)
    const from = records.state.nodeStatuses.get(name)?.agentVersion ?? ''
    if (executable === undefined)
      throw new BerthError(
        'upgrade.no-executable',
        `upgrade node ${name}: this server runs from sources, so it has no executable to send`,
      )
    if (versionDistance(from, version) === 'far')
      throw new BerthError(
        'upgrade.too-far-apart',
        `upgrade node ${name}: ${tooFarApart(from, version)}; go by versions in between, or bring it in anew with berth node add`,
      )
    const body = createReadStream(executable, { highWaterMark: 256 * 1024 })
    const offered = { version, sha256: await this.#hash(executable) }
    const started = await agents.sendExecutable(name, offered, body, { signal }).finally(() => body.destroy())
    if (started)
      await records.commit(context.actor, (tx) => {
        const message = `${name} goes from version ${from === '' ? '(unknown)' : from} to ${version}`
        tx.event({ type: 'node.upgrade', subject: { node: name }, message })
      })
    return { node, from, to: version, started }
  }

  /** The file of a running program does not change: who replaces it gives its name to another one. */
  #hash(executable: string): Promise<string> {
    this.#sha256 ??= hashOf(executable).catch((error: unknown) => {
      this.#sha256 = undefined
      throw error
    })
    return this.#sha256
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
