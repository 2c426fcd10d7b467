import { createHash } from 'node:crypto'
import type { RegistryOrder, RegistryReport } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Authority } from '../authority/authority.ts'
import type { State } from '../records/index.ts'
import type { RegistryTokens } from './registry-tokens.ts'

export interface RegistryOrdersOptions {
  readonly state: State
  readonly authority: Pick<Authority, 'serviceCertificate' | 'isServiceCertificateGood'>
  readonly tokens: RegistryTokens
}

export interface RegistryAt {
  readonly node: string
  readonly port: number
}

/** What the node with the registry is told, and whether it has to be told anew. */
export class RegistryOrders {
  readonly #options: RegistryOrdersOptions

  constructor(options: RegistryOrdersOptions) {
    this.#options = options
  }

  /** `10.0.0.5:5000`. Throws `node.not-found`, `registry.unsuitable-node`. */
  hostOf({ node, port }: RegistryAt): string {
    return `${this.#addressOf(node)}:${port}`
  }

  async make(at: RegistryAt): Promise<RegistryOrder> {
    const { authority, tokens } = this.#options
    const address = this.#addressOf(at.node)
    return {
      ...{ id: this.#idOf(at), address, port: at.port },
      ...(await authority.serviceCertificate(address)),
      tokenCertificatePem: await tokens.certificatePem(),
    }
  }

  /** False: another address, port or key of tokens, or a certificate that ends soon or is of the authority before. */
  isInForce(at: RegistryAt, { order, certificatePem }: RegistryReport): boolean {
    if (order !== this.#idOf(at) || certificatePem === undefined) return false
    return this.#options.authority.isServiceCertificateGood(certificatePem, this.#addressOf(at.node))
  }

  #idOf(at: RegistryAt): string {
    const text = JSON.stringify([this.hostOf(at), this.#options.tokens.keyId])
    return createHash('sha256').update(text).digest('hex').slice(0, 32)
  }

  #addressOf(name: string): string {
    const address = this.#options.state.nodes.get(name)?.address
    if (address === undefined) throw noNode(name)
    // Docker takes no IPv6 address in an image's name.
    if (address.includes(':')) throw unsuitable(name, address)
    return address
  }
}

const noNode = (node: string): BerthError =>
  new BerthError('node.not-found', `there is no node ${node}; see: berth node ls`, { details: { node } })

const unsuitable = (node: string, address: string): BerthError =>
  new BerthError(
    'registry.unsuitable-node',
    `run the registry on ${node}: Docker cannot name images by the IPv6 address ${address}; choose a node with an IPv4 address`,
    { details: { node } },
  )
