import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** What is known of a host: keys that are good, by their type, and keys that somebody has revoked. */
export interface KnownKeys {
  readonly good: ReadonlyMap<string, string>
  readonly revoked: ReadonlySet<string>
}

export const userKnownHosts = (): string => join(homedir(), '.ssh', 'known_hosts')
const systemKnownHosts = '/etc/ssh/ssh_known_hosts'

/** As OpenSSH has them in its known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): names, patterns and hashed names. */
export function lookUpHost(text: string, host: string, port: number): KnownKeys {
  const name = placeName(host, port)
  const good = new Map<string, string>()
  const revoked = new Set<string>()
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined
    const [names = '', type = '', key = ''] = fields
    if (names === '' || names.startsWith('#') || key === '' || !isNamed(names, name)) continue
    if (marker === '@revoked') revoked.add(key)
    // Certificate authorities of hosts are another scheme; what they sign is not known by its own key.
    else if (marker === undefined && !good.has(type)) good.set(type, key)
  }
  return { good, revoked }
}

/** `SHA256:…`, as ssh and ssh-keygen print it. */
export const fingerprintOf = (key: Uint8Array): string =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`

/** The type that a key of the wire names first. */
export const typeOf = (key: Buffer): string => key.subarray(4, 4 + key.readUInt32BE(0)).toString()

export function readKnownHosts(files: readonly string[] = [userKnownHosts(), systemKnownHosts]): string {
  return files
    .map((file) => {
      try {
        return readFileSync(file, 'utf8')
      } catch {
        return ''
      }
    })
    .join('\n')
}

/** Remembers a key that somebody has said yes to. */
export function addKnownHost(host: string, port: number, key: Buffer, file = userKnownHosts()): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const before = readKnownHosts([file])
  const gap = before === '' || before.endsWith('\n') ? '' : '\n'
  appendFileSync(file, `${gap}${placeName(host, port)} ${typeOf(key)} ${key.toString('base64')}\n`, { mode: 0o600 })
}

const placeName = (host: string, port: number): string => (port === 22 ? host : `[${host}]:${port}`).toLowerCase()

function isNamed(names: string, name: string): boolean {
  if (names.startsWith('|1|')) return isHashed(names, name)
  const patterns = names.toLowerCase().split(',')
  if (patterns.some((each) => each.startsWith('!') && matches(each.slice(1), name))) return false
  return patterns.some((each) => !each.startsWith('!') && matches(each, name))
}

function isHashed(hashed: string, name: string): boolean {
  const [, , salt = '', digest = ''] = hashed.split('|')
  const expected = Buffer.from(digest, 'base64')
  const found = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return expected.length === found.length && timingSafeEqual(expected, found)
}

function matches(pattern: string, name: string): boolean {
  const source = [...pattern].map((each) => (each === '*' ? '.*' : each === '?' ? '.' : RegExp.escape(each))).join('')
  return new RegExp(`^${source}$`).test(name)
}
