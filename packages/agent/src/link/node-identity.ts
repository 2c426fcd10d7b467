import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { writeFileAtomic } from '../state/atomic-file.ts'

export interface ServerAddress {
  readonly host: string
  readonly port: number
}

/** Who this node is, and whom it belongs to. */
export interface NodeIdentity {
  readonly name: string
  /** Address at which other nodes reach it. */
  readonly address: string
  /** Agent ports of the servers, tried in turn. */
  readonly servers: readonly ServerAddress[]
  readonly keyPem: string
  readonly certificatePem: string
  readonly authorityPem: string
  /** SHA-256 of the authority's certificate in lower-case hex: the cluster's name among labels. */
  readonly cluster: string
}

const files = {
  node: 'node.json',
  key: 'key.pem',
  certificate: 'certificate.pem',
  authority: 'authority.pem',
} as const

const directoryOf = (stateDir: string): string => join(stateDir, 'agent')

/** Throws `agent.not-joined` when the node was never enrolled, `agent.corrupt-identity` when a file is damaged. */
export async function readIdentity(stateDir: string): Promise<NodeIdentity> {
  const directory = directoryOf(stateDir)
  const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
  let texts: [string, string, string, string]
  try {
    texts = await Promise.all([read(files.node), read(files.key), read(files.certificate), read(files.authority)])
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new BerthError(
      'agent.not-joined',
      `read ${directory}: this machine is no node of a cluster yet; run "berth node join" with a token of "berth node token"`,
      { cause },
    )
  }
  const [node, keyPem, certificatePem, authorityPem] = texts
  try {
    const { name, address, servers } = JSON.parse(node) as Pick<NodeIdentity, 'name' | 'address' | 'servers'>
    const identity = { name, address, servers, keyPem, certificatePem, authorityPem }
    return { ...identity, cluster: fingerprintOf(new X509Certificate(authorityPem)) }
  } catch (cause) {
    throw new BerthError(
      'agent.corrupt-identity',
      `read ${directory}: ${files.node} or ${files.authority} is damaged; join the node again`,
      { cause },
    )
  }
}

/** The key first: a certificate without its key would look like an enrolment. */
export async function writeIdentity(stateDir: string, identity: Omit<NodeIdentity, 'cluster'>): Promise<void> {
  const directory = directoryOf(stateDir)
  const { name, address, servers } = identity
  await writeFileAtomic(join(directory, files.key), identity.keyPem, 0o600)
  await writeFileAtomic(join(directory, files.authority), identity.authorityPem, 0o644)
  await writeFileAtomic(join(directory, files.certificate), identity.certificatePem, 0o644)
  await writeFileAtomic(join(directory, files.node), `${JSON.stringify({ name, address, servers }, null, 2)}\n`, 0o644)
}

export const fingerprintOf = (certificate: Pick<X509Certificate, 'fingerprint256'>): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase()
