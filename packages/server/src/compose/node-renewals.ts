import type { X509Certificate } from 'node:crypto'
import { type CertificateAgents, NodeCertificates } from '../agents/node-certificates.ts'
import type { Term } from '../leadership/index.ts'
import type { ControlOptions, Renewals } from './control.ts'

/** Which certificate each connected node has shown, for whoever renews them: the server that keeps `upkeep`. */
export class NodeRenewals implements Renewals {
  readonly #agents: CertificateAgents
  readonly #shown = new Map<string, X509Certificate>()
  #renewing: NodeCertificates | undefined

  constructor(agents: CertificateAgents) {
    this.#agents = agents
  }

  connected(node: string, certificate: X509Certificate): void {
    this.#shown.set(node, certificate)
    this.#renewing?.connected(node, certificate)
  }

  /** After a rotation of the authority. */
  lookAtAll(): void {
    this.#renewing?.lookAtAll()
  }

  /** From now on nodes' certificates are renewed, as long as the term lasts. */
  lead({ foundation, log }: ControlOptions, term: Term, stack: AsyncDisposableStack): void {
    const { authority, records, state } = foundation
    const renewing = stack.use(
      new NodeCertificates({
        ...{ authority, agents: this.#agents, log: log.child({ part: 'certificates' }) },
        records: records.guardedBy(term),
      }),
    )
    this.#renewing = renewing
    stack.defer(() => {
      this.#renewing = undefined
    })
    for (const [node, certificate] of this.#shown) {
      if (!state.nodes.has(node)) this.#shown.delete(node)
      else if (this.#agents.isConnected(node)) renewing.connected(node, certificate)
    }
  }
}
