import { BerthError } from '@berth/core'
import { addKnownHost, fingerprintOf, lookUpHost, readKnownHosts, typeOf } from './known-hosts.ts'

export interface HostKeyPolicy {
  /** `SHA256:…`: the very key, whatever is known. */
  readonly expected?: string
  /** Takes the key of a host that nobody knows, and remembers it. */
  readonly acceptNew?: boolean
  /** Asked where neither tells; absent where nobody can be asked. */
  readonly ask?: (question: string) => Promise<boolean>
  readonly knownHosts?: string
}

/** Whether a host is the one that it should be. Throws `ssh.host-key-mismatch`, `ssh.host-key-unknown`. */
export async function checkHostKey(host: string, port: number, key: Buffer, policy: HostKeyPolicy): Promise<void> {
  const fingerprint = fingerprintOf(key)
  if (policy.expected !== undefined) {
    if (policy.expected === fingerprint) return
    throw mismatch(host, `its key is ${fingerprint}, and --host-key says ${policy.expected}`)
  }
  const files = policy.knownHosts === undefined ? undefined : [policy.knownHosts]
  const { good, revoked } = lookUpHost(readKnownHosts(files), host, port)
  const text = key.toString('base64')
  if (revoked.has(text)) throw mismatch(host, `its key ${fingerprint} was revoked in known_hosts`)
  if ([...good.values()].includes(text)) return
  if (good.size > 0) {
    const known = [...good].map(([type, each]) => `${type} ${fingerprintOf(Buffer.from(each, 'base64'))}`).join(', ')
    throw mismatch(host, `its key is ${typeOf(key)} ${fingerprint}, and known_hosts has ${known}`)
  }
  await takeNew(host, port, key, policy)
}

async function takeNew(host: string, port: number, key: Buffer, policy: HostKeyPolicy): Promise<void> {
  const shown = `${typeOf(key)} ${fingerprintOf(key)}`
  const question = `Nobody here has seen ${host} before; its key is ${shown}. Is it the right machine?`
  const accepted = policy.acceptNew === true || (policy.ask !== undefined && (await policy.ask(question)))
  if (accepted) return addKnownHost(host, port, key, policy.knownHosts)
  throw new BerthError(
    'ssh.host-key-unknown',
    `log in at ${host}: nobody here has seen it before; its key is ${shown}. Compare it with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then say --host-key ${fingerprintOf(key)}; --accept-new-host-keys takes whatever comes`,
    { details: { fingerprint: fingerprintOf(key) } },
  )
}

const mismatch = (host: string, what: string): BerthError =>
  new BerthError(
    'ssh.host-key-mismatch',
    `log in at ${host}: ${what}. Somebody may be in between, or the machine was set up anew: then remove its old key (ssh-keygen -R ${host})`,
  )

/** Key types in the order in which a host is to show them: those first that something is known of. */
export function preferredTypes(host: string, port: number, knownHosts?: string): string[] {
  const known = lookUpHost(readKnownHosts(knownHosts === undefined ? undefined : [knownHosts]), host, port).good
  const types = [...known.keys()].flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]))
  return [...new Set([...types, ...hostKeyTypes])].filter((type) => hostKeyTypes.includes(type))
}

/** SHA-1 signatures (`ssh-rsa`) are not among them. */
const hostKeyTypes: readonly string[] = [
  ...['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ...['rsa-sha2-512', 'rsa-sha2-256'],
]
