import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificateDelivery, CertificateRequest } from '@berth/api'
import { BerthError } from '@berth/core'
import { certificatesIn, type NodeIdentity, writeCredentials } from './node-identity.ts'

/**
 * What this node proves itself with. A server renews it over the link: it asks for a request of a new key, then delivers the
 * certificate. Only what is on disk is used, and a link that is lost delivers nothing any more, so a server knows for certain which
 * certificates the next connection may show.
 */
export class NodeCredentials {
  readonly #stateDir: string
  #identity: NodeIdentity
  #newKeyPem: string | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(stateDir: string, identity: NodeIdentity) {
    this.#stateDir = stateDir
    this.#identity = identity
  }

  /** For a new connection: waits for a renewal that is being written. */
  async settled(): Promise<NodeIdentity> {
    await this.#writing
    return this.#identity
  }

  /** Makes a new key and asks for a certificate of it. */
  async request(): Promise<CertificateRequest> {
    const { name, certificatePem } = await this.settled()
    const { createCertificateRequest } = await import('./certificate-request.ts')
    const { keyPem, requestPem } = await createCertificateRequest(name)
    this.#newKeyPem = keyPem
    return { requestPem, certificatePem }
  }

  /**
   * Takes the certificate for the key that was made last, from the next connection on; the present one stays. Throws
   * `agent.unexpected-certificate`. Aborting comes too late once it is being written.
   */
  async install(delivery: CertificateDelivery, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    const keyPem = this.#newKeyPem
    if (keyPem === undefined) throw unexpected('no key was made for it')
    check(this.#identity.name, keyPem, delivery)
    this.#newKeyPem = undefined
    const renewed = { ...this.#identity, ...delivery, keyPem }
    const written = this.#writing.then(async () => {
      await writeCredentials(this.#stateDir, renewed)
      this.#identity = renewed
    })
    this.#writing = written.catch(() => undefined)
    await written
  }
}

function check(node: string, keyPem: string, { certificatePem, authorityPem }: CertificateDelivery): void {
  const certificate = parse(certificatePem)
  if (certificate.subject !== `CN=${node}`) throw unexpected(`it is of ${certificate.subject}`)
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) throw unexpected('it is of another key')
  const roots = certificatesIn(authorityPem).map(parse)
  if (!roots.some((root) => certificate.verify(root.publicKey)))
    throw unexpected('the authority with it did not sign it')
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw unexpected('it cannot be read', cause)
  }
}

const unexpected = (why: string, cause?: unknown): BerthError =>
  new BerthError('agent.unexpected-certificate', `take a new certificate for this node: ${why}`, { cause })
