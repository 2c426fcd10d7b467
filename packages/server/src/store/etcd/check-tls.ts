import { connect } from 'node:tls'
import { deniedError } from './etcd-failure.ts'
import { hostOf, type TlsFiles } from './member-credentials.ts'

const patienceMs = 3_000

/**
 * Shakes hands with the members once and says what is wrong with certificates: gRPC only says that there is no connection, and goes on
 * trying. Members that cannot be reached are left to it.
 */
export async function checkTls(addresses: readonly string[], files: TlsFiles, signal?: AbortSignal): Promise<void> {
  const findings = await Promise.all(addresses.map((address) => problemOf(address, files)))
  signal?.throwIfAborted()
  const index = findings.findIndex((finding) => finding !== undefined)
  const isGoodElsewhere = findings.some((finding) => finding === 'good')
  const finding = findings.find((each) => each !== undefined && each !== 'good')
  if (finding === undefined || isGoodElsewhere) return
  throw deniedError('open the store', addresses[index] ?? '', finding)
}

/** Why nothing came of an attempt without TLS, when that is why; gRPC only says that there is no connection. */
export async function refuseMissingTls(addresses: readonly string[]): Promise<void> {
  const speak = await Promise.all(addresses.map((address) => speaksTls(hostOf(address), portOf(address))))
  const address = addresses[speak.indexOf(true)]
  if (address === undefined) return
  const why =
    'it speaks TLS: name the authority of its certificate (--store-ca), and ours if it asks for one (--store-cert, --store-key)'
  throw deniedError('open the store', address, why)
}

function speaksTls(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  // Nothing is said to it and nothing of it believed: that it shakes hands is all that is asked.
  const socket = connect({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false, timeout: patienceMs })
  socket.once('secureConnect', () => resolve(true))
  for (const end of ['error', 'close', 'timeout']) socket.once(end, () => resolve(false))
  return promise.finally(() => socket.destroy())
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

/** Undefined: not to be reached, so not known. */
function problemOf(address: string, { ca, certificate, key }: TlsFiles): Promise<string | 'good' | undefined> {
  const host = hostOf(address)
  const port = portOf(address)
  return new Promise((resolve) => {
    const done = (finding: string | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(finding)
    }
    const timer = setTimeout(() => done(undefined), patienceMs)
    let socket: ReturnType<typeof connect>
    try {
      socket = connect({
        ...{ host, port, ALPNProtocols: ['h2'] },
        ...(ca === undefined ? {} : { ca }),
        ...(certificate === undefined ? {} : { cert: certificate }),
        ...(key === undefined ? {} : { key }),
      })
    } catch (error) {
      clearTimeout(timer)
      resolve(`the certificate or key given cannot be used: ${(error as Error).message}`)
      return
    }
    // A member that does not like our certificate says so after the handshake, one that does begins to speak HTTP/2.
    socket.once('data', () => done('good'))
    let isConnected = false
    let isSecure = false
    socket.once('connect', () => {
      isConnected = true
    })
    socket.once('secureConnect', () => {
      isSecure = true
    })
    const hungUp = (): string | undefined => (isConnected && !isSecure ? noTls('it hangs up at once') : undefined)
    socket.once('error', (error) => done(explain(error as NodeJS.ErrnoException) ?? hungUp()))
    socket.once('close', () => done(hungUp()))
  })
}

function explain(error: NodeJS.ErrnoException): string | undefined {
  const code = error.code ?? ''
  if (/alert certificate required|alert bad certificate|handshake failure/i.test(error.message))
    return `it wants a client certificate that its authority signed (--store-cert, --store-key): ${error.message.trim()}`
  if (/alert certificate (expired|unknown|revoked)|alert unknown ca/i.test(error.message))
    return `it does not accept the client certificate: ${error.message.trim()}`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for another name: ${error.message}`
  if (/CERT|SELF_SIGNED|VERIFY|UNABLE_TO/.test(code))
    return `its certificate is not good by the authority given (--store-ca): ${error.message}`
  if (code === 'EPROTO' || /wrong version number|ssl3?_get_record|packet length too long/i.test(error.message))
    return noTls(error.message)
  return undefined
}

const noTls = (sign: string): string =>
  `it does not speak TLS: leave out --store-ca and write etcd://, or give etcd certificates (${sign})`
