import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { BerthError } from '@berth/core'

/** SHA-256 as people copy it: with colons or without, in capitals or not, with what `openssl x509 -fingerprint` puts in front. */
export function parseFingerprint(text: string): string {
  const plain = text.replace(/^.*=/, '').replaceAll(':', '').trim().toLowerCase()
  if (/^[0-9a-f]{64}$/.test(plain)) return plain
  throw new BerthError(
    'usage.fingerprint',
    `${text} is no fingerprint: SHA-256 has 64 hexadecimal digits; \`berth status\` on the server tells the authority's`,
  )
}

/** The chain that the server shows, searched for a certificate of exactly this fingerprint. */
export function fetchAuthority(url: URL, fingerprint: string, signal: AbortSignal): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    const options = {
      host,
      port: Number(url.port || 443),
      // Nobody is trusted yet: the fingerprint decides, and nothing is sent.
      rejectUnauthorized: false,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    }
    const socket = connect(options, () => {
      const chain = chainOf(socket)
      socket.destroy()
      const found = chain.find((raw) => fingerprintOf(raw) === fingerprint)
      if (found !== undefined) return resolve(new X509Certificate(found).toString())
      const last = chain.at(-1)
      const shown = last === undefined ? 'no certificate at all' : `the authority ${fingerprintOf(last)}`
      const message = `${url.host} shows ${shown}, and the fingerprint given is ${fingerprint}: it is mistyped, this is another server, or somebody is in between; the right one is on the server's machine: \`berth status\` there`
      reject(new BerthError('context.wrong-fingerprint', message))
    })
    socket.once('error', (error) => reject(new BerthError('server.unreachable', `reach ${url.host}: ${error.message}`)))
    signal.addEventListener('abort', () => socket.destroy(signal.reason), { once: true })
  })
}

const fingerprintOf = (raw: Buffer): string => createHash('sha256').update(raw).digest('hex')

/** From the server's own certificate to the authority that has signed it. */
function chainOf(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = []
  for (let each = socket.getPeerCertificate(true); each?.raw !== undefined; each = each.issuerCertificate) {
    // The authority is its own issuer.
    if (chain.at(-1)?.equals(each.raw) === true) break
    chain.push(each.raw)
  }
  return chain
}
