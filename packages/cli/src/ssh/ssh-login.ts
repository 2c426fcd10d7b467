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

/**
 * Private keys as they were read: opening an encrypted one takes a second of computing, on purpose, which is to be paid once and not at
 * every machine.
 */
export class SshKeys {
  readonly #read = new Map<string, ParsedKey | string>()

  /** The key, or what is wrong with the file. */
  async read(file: string, passphrase: string | undefined): Promise<ParsedKey | string> {
    const { default: ssh2 } = await import('ssh2')
    const name = JSON.stringify([file, passphrase])
    const known = this.#read.get(name)
    if (known !== undefined) return known
    const found = parse(ssh2.utils.parseKey, file, passphrase)
    this.#read.set(name, found)
    return found
  }
}

function parse(
  parseKey: (text: Buffer, passphrase?: string) => ParsedKey | Error,
  file: string,
  passphrase: string | undefined,
): ParsedKey | string {
  try {
    const parsed: ParsedKey | ParsedKey[] | Error = parseKey(readFileSync(file), passphrase)
    if (parsed instanceof Error) return parsed.message
    return (Array.isArray(parsed) ? parsed[0] : parsed) ?? 'there is no key in it'
  } catch (error) {
    return messageOf(error)
  }
}

/** The ways to log in, in the order in which they are tried. Throws `ssh.key-unreadable`. */
export async function loginMethods(user: string, login: SshLogin, keys = new SshKeys()): Promise<AnyAuthMethod[]> {
  const { keyFile, passphrase, password, agent = process.env.SSH_AUTH_SOCK } = login
  const files =
    keyFile === undefined ? usualKeys.map((name) => join(homedir(), '.ssh', name)).filter(existsSync) : [keyFile]
  const methods: AnyAuthMethod[] = []
  if (keyFile === undefined && agent !== undefined && agent !== '')
    methods.push({ type: 'agent', username: user, agent })
  for (const file of files) {
    const key = await keys.read(file, passphrase)
    // A usual file that cannot be read (it is encrypted, say) is passed over; one that was named is not.
    if (typeof key !== 'string') methods.push({ type: 'publickey', username: user, key })
    else if (keyFile !== undefined) throw unreadable(file, key)
  }
  if (password !== undefined) methods.push({ type: 'password', username: user, password })
  return methods
}

function unreadable(file: string, problem: string): BerthError {
  const hint = /passphrase/i.test(problem) ? '; give --passphrase-file, or add the key to ssh-agent' : ''
  return new BerthError('ssh.key-unreadable', `read the key ${file}: ${problem}${hint}`)
}
