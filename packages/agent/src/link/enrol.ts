import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { checkServerIdentity, connect, type DetailedPeerCertificate } from 'node:tls'
import type { ErrorBody } from '@berth/api'
import { agentAlpn } from '@berth/api/agent-protocol'
import { BerthError } from '@berth/core'
import { serverName } from './dial.ts'
import { certificatesIn, fingerprintOf, type NodeIdentity, readIdentity, writeIdentity } from './node-identity.ts'

export interface EnrolOptions {
  /** The server's API: `https://host:7600` or `host:7600`. */
  readonly server: string
  /** As `berth node token` printed it: `<secret>.<fingerprint of the authority>`. */
  readonly token: string
  readonly name: string
  /** At which other nodes reach this one. */
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
  readonly stateDir: string
  readonly signal?: AbortSignal
}

interface JoinAnswer {
  readonly node: string
  readonly certificatePem: string
  readonly authorityPem: string
  readonly agentPort: number
}

const timeoutMs = 20_000
const maxAnswerBytes = 256 * 1024
const defaultPort = 7600

/**
 * Makes this machine a node: trades a one-time token for a certificate and writes both down. The server is trusted because its
 * authority's certificate has the fingerprint in the token, and for nothing else. Throws `join.invalid-token`, `join.already-joined`,
 * `join.server-unreachable`, `join.agent-port`, `join.wrong-authority`, and what the server answers.
 */
export async function enrol(options: EnrolOptions): Promise<NodeIdentity> {
  const { stateDir, name, address, labels } = options
  const fingerprint = fingerprintIn(options.token)
  const { host, port } = hostAndPort(options.server)
  await refuseSecond(stateDir)
  const authorityPem = await fetchAuthority(host, port, fingerprint, options.signal)
  const { createCertificateRequest } = await import('./certificate-request.ts')
  const { keyPem, requestPem } = await createCertificateRequest(name)
  const body = { token: options.token.trim(), name, address, labels, certificateRequestPem: requestPem }
  const { signal } = options
  const ask = { host, port, authorityPem, path: '/v1/nodes/join', body, ...(signal === undefined ? {} : { signal }) }
  const answer = await call<JoinAnswer>(ask)
  const roots = certificatesIn(answer.authorityPem).map((pem) => fingerprintOf(new X509Certificate(pem)))
  if (!roots.includes(fingerprint)) throw wrongAuthority(host, port)
  const servers = [{ host, port: answer.agentPort }]
  const { node, certificatePem, authorityPem: trustPem } = answer
  const who = { name: node, address, servers, cluster: fingerprint }
  await writeIdentity(stateDir, { ...who, keyPem, certificatePem, authorityPem: trustPem })
  return await readIdentity(stateDir)
}

export interface JoinCheck {
  readonly version?: string
  /** The server's clock. */
  readonly now?: number
  readonly agentPort?: number
  readonly problems: readonly { readonly code: string; readonly message: string }[]
}

const clockErrors = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']

/**
 * What would keep this machine from joining, with nothing used up and nothing written. A server that cannot be reached, or is another
 * one, is such a problem; a clock that is so wrong that no certificate is good is seen by the server's, which is then asked without trust.
 */
export async function checkEnrolment(options: Omit<EnrolOptions, 'stateDir'>): Promise<JoinCheck> {
  const { token, name, address, labels, signal } = options
  try {
    const fingerprint = fingerprintIn(token)
    const { host, port } = hostAndPort(options.server)
    const authorityPem = await fetchAuthority(host, port, fingerprint, signal)
    const ask = { host, port, authorityPem, ...(signal === undefined ? {} : { signal }) }
    const body = { token: token.trim(), name, address, labels }
    return await call<JoinCheck>({ ...ask, path: '/v1/nodes/join/check', body }).catch(async (error: unknown) => {
      if (!isClockError(error)) throw error
      const { version, now } = await call<JoinCheck>({ ...ask, path: '/v1/version', isTrusted: false })
      return { problems: [], ...(version === undefined ? {} : { version }), ...(now === undefined ? {} : { now }) }
    })
  } catch (error) {
    if (!(error instanceof BerthError)) throw error
    return { problems: [{ code: error.code, message: error.message }] }
  }
}

const isClockError = (error: unknown): boolean =>
  error instanceof BerthError && clockErrors.includes((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '')

async function refuseSecond(stateDir: string): Promise<void> {
  const known = await readIdentity(stateDir).catch((error: unknown) => {
    if (error instanceof BerthError && error.code === 'agent.not-joined') return undefined
    throw error
  })
  if (known === undefined) return
  throw new BerthError(
    'join.already-joined',
    `join: this machine is node ${known.name} already; to join anew stop the agent and remove ${stateDir}/agent/node.json`,
  )
}

function fingerprintIn(token: string): string {
  const match = /^[A-Za-z0-9_-]+\.([0-9a-f]{64})$/.exec(token.trim())
  if (match?.[1] !== undefined) return match[1]
  throw new BerthError(
    'join.invalid-token',
    'join: the text is no join token; copy the whole line of "berth node token"',
  )
}

function hostAndPort(server: string): { readonly host: string; readonly port: number } {
  const url = URL.parse(server.includes('://') ? server : `https://${server}`)
  if (url === null || url.protocol !== 'https:' || url.hostname === '') {
    throw new BerthError(
      'join.invalid-server',
      `join: ${server} is no address of a server; write it as host:${defaultPort}`,
    )
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? defaultPort : Number(url.port) }
}

/** Looks at the server's chain, without trusting it, for the authority that the token names. Nothing is sent. */
async function fetchAuthority(
  host: string,
  port: number,
  fingerprint: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  signal?.throwIfAborted()
  // Offered both ways of speaking, an agents' port shows itself by taking the agents': it closes what shows no certificate without a word.
  const ALPNProtocols = ['http/1.1', agentAlpn]
  const unchecked = { rejectUnauthorized: false, minVersion: 'TLSv1.3' } as const
  const socket = connect({ host, port, servername: serverName, ALPNProtocols, ...unchecked })
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
  const abort = (): void => void socket.destroy()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
    if (socket.alpnProtocol === agentAlpn) throw agentPort(host, port)
    const authority = chainOf(socket.getPeerCertificate(true)).find((each) => fingerprintOf(each) === fingerprint)
    if (authority === undefined) throw wrongAuthority(host, port)
    return authority.toString()
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof BerthError ? error : unreachable(host, port, error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    socket.destroy()
  }
}

function chainOf(leaf: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  const seen = new Set<string>()
  for (let each = leaf; each?.raw !== undefined && !seen.has(each.fingerprint256); each = each.issuerCertificate) {
    seen.add(each.fingerprint256)
    chain.push(new X509Certificate(each.raw))
  }
  return chain
}

interface ServerCall {
  readonly host: string
  readonly port: number
  readonly authorityPem: string
  readonly path: string
  /** Absent: GET. */
  readonly body?: object
  /** False: whatever answers is asked; nothing secret may be in the call then. */
  readonly isTrusted?: boolean
  readonly signal?: AbortSignal
}

function call<T>({ host, port, authorityPem, path, body, isTrusted = true, signal }: ServerCall): Promise<T> {
  const payload = body === undefined ? '' : JSON.stringify(body)
  const content = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
  return new Promise((resolve, reject) => {
    const req = request({
      host,
      port,
      method: body === undefined ? 'GET' : 'POST',
      path,
      headers: body === undefined ? {} : content,
      ca: authorityPem,
      rejectUnauthorized: isTrusted,
      servername: serverName,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
      minVersion: 'TLSv1.3',
      agent: false,
      timeout: timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    })
    req.once('timeout', () => req.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    req.once('error', (error) => reject(signal?.aborted === true ? signal.reason : unreachable(host, port, error)))
    req.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > maxAnswerBytes) response.destroy(new Error('the answer is too long'))
      })
      response.once('error', (error) => reject(unreachable(host, port, error)))
      response.once('end', () => {
        if (response.statusCode === 200 || response.statusCode === 201) resolve(JSON.parse(text) as T)
        else reject(refusal(response.statusCode ?? 0, text))
      })
    })
    req.end(payload)
  })
}

function refusal(status: number, text: string): BerthError {
  try {
    const { error } = JSON.parse(text) as ErrorBody
    return new BerthError(error.code, error.message, { retryable: error.retryable, details: error.details })
  } catch {
    return new BerthError('join.refused', `join: the server answered ${status}: ${text.slice(0, 200)}`)
  }
}

const unreachable = (host: string, port: number, cause: unknown): BerthError =>
  new BerthError(
    'join.server-unreachable',
    `join: connect to ${host}:${port}: ${cause instanceof Error ? cause.message : String(cause)}; check the address and that nothing between the machines blocks the port`,
    { retryable: true, cause },
  )

const agentPort = (host: string, port: number): BerthError =>
  new BerthError(
    'join.agent-port',
    `join: ${host}:${port} is the port that nodes dial once they have joined; --server takes the one of the API, ${host}:${defaultPort} unless the server was told another (its \`berth node token\` prints it)`,
  )

const wrongAuthority = (host: string, port: number): BerthError =>
  new BerthError(
    'join.wrong-authority',
    `join: ${host}:${port} does not belong to the cluster that made the token, or somebody is in between; nothing was sent to it`,
  )
