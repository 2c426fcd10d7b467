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
      const found = findInChain(socket, fingerprint)
      socket.destroy()
      if (found !== undefined) return resolve(found)
      const message = `${url.host} shows no certificate with fingerprint ${fingerprint}: it is another server, or somebody is in between; \`berth status\` on the server tells the right one`
      reject(new BerthError('context.wrong-fingerprint', message))
    })
    socket.once('error', (error) => reject(new BerthError('server.unreachable', `reach ${url.host}: ${error.message}`)))
    signal.addEventListener('abort', () => socket.destroy(signal.reason), { once: true })
  })
}

function findInChain(socket: TLSSocket, fingerprint: string): string | undefined {
  let last: Buffer | undefined
  for (let each = socket.getPeerCertificate(true); each?.raw !== undefined; each = each.issuerCertificate) {
    if (createHash('sha256').update(each.raw).digest('hex') === fingerprint)
      return new X509Certificate(each.raw).toString()
    // The authority is its own issuer.
    if (last?.equals(each.raw) === true) return undefined
    last = each.raw
  }
  return undefined
}
