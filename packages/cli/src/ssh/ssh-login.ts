import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import type { AnyAuthMethod, ParsedKey } from 'ssh2'

export interface SshLogin {
  /** A private key's file. Absent: the agent's keys, then the usual files of `~/.ssh`. */
  readonly keyFile?: string
  /** Of an encrypted key file. */
  readonly passphrase?: string
  readonly password?: string
  /** The agent's socket; default `SSH_AUTH_SOCK`. */
  readonly agent?: string
}

const usualKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa']

/** The ways to log in, in the order in which they are tried. Throws `ssh.key-unreadable`. */
export async function loginMethods(user: string, login: SshLogin): Promise<AnyAuthMethod[]> {
  const { keyFile, passphrase, password, agent = process.env.SSH_AUTH_SOCK } = login
  const files =
    keyFile === undefined ? usualKeys.map((name) => join(homedir(), '.ssh', name)).filter(existsSync) : [keyFile]
  const methods: AnyAuthMethod[] = []
  if (keyFile === undefined && agent !== undefined && agent !== '')
    methods.push({ type: 'agent', username: user, agent })
  for (const file of files) {
    const key = await readKey(file, passphrase, keyFile !== undefined)
    if (key !== undefined) methods.push({ type: 'publickey', username: user, key })
  }
  if (password !== undefined) methods.push({ type: 'password', username: user, password })
  return methods
}

/** A usual file that cannot be read (it is encrypted, say) is passed over; one that was named is not. */
async function readKey(file: string, passphrase: string | undefined, isNamed: boolean): Promise<ParsedKey | undefined> {
  const { default: ssh2 } = await import('ssh2')
  let problem: string
  try {
    const parsed = ssh2.utils.parseKey(readFileSync(file), passphrase)
    if (!(parsed instanceof Error)) return Array.isArray(parsed) ? parsed[0] : parsed
    problem = parsed.message
  } catch (error) {
    problem = messageOf(error)
  }
  if (!isNamed) return undefined
  const hint = /passphrase/i.test(problem) ? '; give --passphrase-file, or add the key to ssh-agent' : ''
  throw new BerthError('ssh.key-unreadable', `read the key ${file}: ${problem}${hint}`)
}
