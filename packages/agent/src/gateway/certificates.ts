import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type Certificate, messageOf, type RouteTableProblem } from '@berth/core'

/** What `core` cannot see: whether certificates and keys can be read and belong together. Answers are kept, as they are costly. */
export class CertificateChecker {
  #known = new Map<string, string | undefined>()

  problemsOf(certificates: readonly Certificate[]): RouteTableProblem[] {
    const known = new Map<string, string | undefined>()
    const problems = certificates.flatMap((certificate, index): RouteTableProblem[] => {
      const key = `${certificate.certificatePem}\0${certificate.keyPem}`
      const problem = this.#known.has(key) ? this.#known.get(key) : problemOf(certificate)
      known.set(key, problem)
      return problem === undefined
        ? []
        : [{ path: `certificates[${index}]`, message: `${named(certificate)} ${problem}` }]
    })
    this.#known = known
    return problems
  }
}

const named = (certificate: Certificate): string => `the certificate for ${certificate.hosts.join(', ')}`

function problemOf({ certificatePem, keyPem }: Certificate): string | undefined {
  try {
    const matches = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))
    return matches ? undefined : 'does not belong to its key'
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`
  }
}
