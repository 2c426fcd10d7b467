import { Agent } from 'node:https'
import { rootCertificates } from 'node:tls'
import { BerthError, messageOf } from '@berth/core'

export interface IssueOptions {
  readonly directoryUrl: string
  readonly accountKeyPem: string
  readonly email?: string | undefined
  readonly caPem?: string | undefined
  readonly host: string
  /** Resolves when the gateways answer so. */
  readonly present: (token: string, answer: string) => Promise<void>
}

export interface IssuedCertificate {
  readonly certificatePem: string
  readonly keyPem: string
}

/** Answers are looked for so often, and so long. */
const polling = { backoffAttempts: 20, backoffMin: 500, backoffMax: 10_000 }
const callTimeoutMs = 30_000

/** Obtains a certificate for one host, by HTTP-01. One at a time. Throws `acme.refused` with what the authority said. */
export async function issueCertificate(options: IssueOptions): Promise<IssuedCertificate> {
  // Only who obtains certificates needs it.
  const acme = await import('acme-client')
  const { directoryUrl, accountKeyPem, email, caPem, host } = options
  acme.axios.defaults.timeout = callTimeoutMs
  // The keeper tries again itself, and later: an authority that is busy may ask for hours of patience.
  Object.assign(acme.axios.defaults, { acmeSettings: { retryMaxAttempts: 0, retryDefaultDelay: 1 } })
  acme.axios.defaults.httpsAgent = new Agent({ ca: caPem === undefined ? undefined : [...rootCertificates, caPem] })
  try {
    const client = new acme.Client({ directoryUrl, accountKey: accountKeyPem, ...polling })
    await client.createAccount({ termsOfServiceAgreed: true, contact: email === undefined ? [] : [`mailto:${email}`] })
    const order = await client.createOrder({ identifiers: [{ type: 'dns', value: host }] })
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status === 'valid') continue
      const challenge = authorization.challenges.find(({ type }) => type === 'http-01')
      if (challenge === undefined) throw new Error('it does not offer HTTP-01')
      await options.present(challenge.token, await client.getChallengeKeyAuthorization(challenge))
      await client.completeChallenge(challenge)
      await client.waitForValidStatus(challenge)
    }
    const [key, csr] = await acme.crypto.createCsr({ altNames: [host] }, await acme.crypto.createPrivateEcdsaKey())
    const certificatePem = await client.getCertificate(await client.finalizeOrder(order, csr))
    return { certificatePem, keyPem: key.toString() }
  } catch (cause) {
    throw new BerthError(
      'acme.refused',
      `obtain a certificate for ${host} from ${new URL(directoryUrl).host}: ${messageOf(cause)}`,
      { cause, retryable: true },
    )
  }
}
