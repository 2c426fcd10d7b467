import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 86_400_000

x509.cryptoProvider.set(webcrypto)

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/** An authority in a folder, which writes what it signs there. */
export class TestAuthority {
  readonly file: string
  readonly #directory: string
  readonly #keys: webcrypto.CryptoKeyPair

  private constructor(directory: string, file: string, keys: webcrypto.CryptoKeyPair) {
    this.#directory = directory
    this.file = file
    this.#keys = keys
  }

  static async create(directory: string, name: string): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...{ name: `CN=${name}`, keys, signingAlgorithm: algorithm, ...validity(30) },
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    })
    const file = join(directory, `${name}.pem`)
    await writeFile(file, certificate.toString('pem'))
    return Object.assign(new TestAuthority(directory, file, keys), { name })
  }

  declare readonly name: string

  /** Good for 127.0.0.1; with a negative number of days it is over. */
  async sign(name: string, days = 10): Promise<CertificateFiles> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      ...{ subject: `CN=${name}`, issuer: `CN=${this.name}`, publicKey: keys.publicKey, ...validity(days) },
      ...{ signingKey: this.#keys.privateKey, signingAlgorithm: algorithm },
      serialNumber: randomBytes(8).toString('hex'),
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      ],
    })
    const files = { certificate: join(this.#directory, `${name}.crt`), key: join(this.#directory, `${name}.key`) }
    await writeFile(files.certificate, certificate.toString('pem'))
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
    await writeFile(files.key, `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, { mode: 0o600 })
    return files
  }
}

const validity = (days: number) => ({
  notBefore: new Date(Date.now() - 20 * day),
  notAfter: new Date(Date.now() + days * day),
})
