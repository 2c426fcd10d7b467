import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerAddress } from '@berth/api'
import { BerthError } from '@berth/core'
import { writeFileAtomic } from '../state/atomic-file.ts'

/** Who this node is, and whom it belongs to. */
export interface NodeIdentity {
  readonly name: string
  /** Address at which other nodes reach it. */
  readonly address: string
  /** Agent port of the server that it has joined at. Others are told by servers (`ServerLinks`). */
  readonly servers: readonly ServerAddress[]
  readonly keyPem: string
  readonly certificatePem: string
  /** What servers are known by: the authority's certificate and, for a while after its rotation, the one before. */
  readonly authorityPem: string
  /** SHA-256 in lower-case hex of the authority's certificate at the time of joining: the cluster's name among labels. */
  readonly cluster: string
}

type Credentials = Pick<NodeIdentity, 'keyPem' | 'certificatePem' | 'authorityPem'>

const files = { node: 'node.json', credentials: 'credentials.pem' } as const

const directoryOf = (stateDir: string): string => join(stateDir, 'agent')

/** Throws `agent.not-joined` when the node was never enrolled, `agent.corrupt-identity` when a file is damaged. */
export async function readIdentity(stateDir: string): Promise<NodeIdentity> {
  const directory = directoryOf(stateDir)
  const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
  let texts: [string, string]
  try {
    texts = await Promise.all([read(files.node), read(files.credentials)])
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new BerthError(
      'agent.not-joined',
      `read ${directory}: this machine is no node of a cluster yet; run "berth node join" with a token of "berth node token"`,
      { cause },
    )
  }
  const [node, credentials] = texts
  try {
    const identity = JSON.parse(node) as Pick<NodeIdentity, 'name' | 'address' | 'servers' | 'cluster'>
    return { ...identity, ...parseCredentials(credentials) }
  } catch (cause) {
    throw new BerthError(
      'agent.corrupt-identity',
      `read ${directory}: ${files.node} or ${files.credentials} is damaged; join the node again`,
      { cause },
    )
  }
}

/** `node.json` last: only with it the machine is a node. */
export async function writeIdentity(stateDir: string, identity: NodeIdentity): Promise<void> {
  const { name, address, servers, cluster } = identity
  await writeCredentials(stateDir, identity)
  const text = `${JSON.stringify({ name, address, servers, cluster }, null, 2)}\n`
  await writeFileAtomic(join(directoryOf(stateDir), files.node), text, 0o644)
}

/** Key, certificate and authority in one file, so that a renewal replaces all of them at once. */
export async function writeCredentials(stateDir: string, credentials: Credentials): Promise<void> {
  const { keyPem, certificatePem, authorityPem } = credentials
  const text = [keyPem, certificatePem, authorityPem].map((pem) => `${pem.trim()}\n`).join('')
  await writeFileAtomic(join(directoryOf(stateDir), files.credentials), text, 0o600)
}

/** The first certificate is the node's. */
function parseCredentials(text: string): Credentials {
  const keyPem = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n/.exec(text)?.[0] ?? ''
  const [certificatePem = '', ...authorities] = certificatesIn(text)
  if (keyPem === '' || authorities.length === 0) throw new Error('a part is missing')
  for (const pem of [certificatePem, ...authorities]) new X509Certificate(pem)
  return { keyPem, certificatePem, authorityPem: authorities.join('') }
}

export const certificatesIn = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g) ?? []

export const fingerprintOf = (certificate: Pick<X509Certificate, 'fingerprint256'>): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase()
