import 'reflect-metadata'
import { webcrypto, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { fingerprintOf, type NodeIdentity } from '../link/node-identity.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) }

x509.cryptoProvider.set(webcrypto)

export interface Credentials {
  readonly keyPem: string
  readonly certificatePem: string
}

/** A cluster's authority, for tests. */
export class TestAuthority {
  readonly certificatePem: string
  readonly fingerprint: string
  readonly #keys: webcrypto.CryptoKeyPair
  readonly #certificate: x509.X509Certificate

  private constructor(keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys
    this.#certificate = certificate
    this.certificatePem = certificate.toString('pem')
    this.fingerprint = fingerprintOf(new X509Certificate(this.certificatePem))
  }

  static async found(): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: ['test authority'] }],
      serialNumber: '01',
      ...validity,
      signingAlgorithm: algorithm,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    })
    return new TestAuthority(keys, certificate)
  }

  /** `berth-server` as the servers' certificates have it. */
  server(times = validity): Promise<Credentials> {
    const names = new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'berth-server' }])
    return this.#issue('berth-server', x509.ExtendedKeyUsage.serverAuth, [names], times)
  }

  /** Of a program that serves others at this address. */
  service(address: string): Promise<Credentials> {
    const names = new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }])
    return this.#issue(address, x509.ExtendedKeyUsage.serverAuth, [names])
  }

  node(name: string): Promise<Credentials> {
    return this.#issue(name, x509.ExtendedKeyUsage.clientAuth, [])
  }

  async identity(name: string, servers: NodeIdentity['servers']): Promise<NodeIdentity> {
    const credentials = await this.node(name)
    const { certificatePem: authorityPem, fingerprint: cluster } = this
    return { name, address: '127.0.0.1', servers, ...credentials, authorityPem, cluster }
  }

  /** Signs what a joining node asks for. */
  async sign(requestPem: string): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(requestPem)
    if (!(await request.verify())) throw new Error('the request does not prove its key')
    const key = await request.publicKey.export()
    return this.#certify(request.subjectName.getField('CN')[0] ?? '', key, x509.ExtendedKeyUsage.clientAuth, [])
  }

  async #issue(
    name: string,
    usage: x509.ExtendedKeyUsage,
    extensions: x509.Extension[],
    times = validity,
  ): Promise<Credentials> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
    const certificatePem = await this.#certify(name, keys.publicKey, usage, extensions, times)
    return { keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY'), certificatePem }
  }

  async #certify(
    name: string,
    publicKey: webcrypto.CryptoKey,
    usage: x509.ExtendedKeyUsage,
    extensions: x509.Extension[],
    times = validity,
  ): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [name] }],
      issuer: this.#certificate.subjectName.toJSON(),
      serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
      ...times,
      signingAlgorithm: algorithm,
      publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [new x509.ExtendedKeyUsageExtension([usage]), ...extensions],
    })
    return certificate.toString('pem')
  }
}
