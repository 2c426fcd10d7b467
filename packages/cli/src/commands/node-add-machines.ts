import { userInfo } from 'node:os'
import { BerthError } from '@berth/core'
import { readText } from '../files.ts'
import { type MachineDefaults, parseInventory, twinsIn } from '../node-add/inventory.ts'
import type { MachineEntry } from '../node-add/machine-entry.ts'
import { readSecret } from '../read-secret.ts'
import type { SshLogin } from '../ssh/ssh-login.ts'
import { parseSshTarget } from '../ssh/ssh-target.ts'
import { parseDriver, parsePort } from './host-options.ts'
import { parseLabels } from './nodes.ts'

export interface AddOptions {
  readonly inventory?: string
  readonly node?: string
  readonly address?: string
  readonly label: readonly string[]
  readonly group?: string
  readonly gateway: boolean
  readonly network?: string
  readonly httpPort: string
  readonly httpsPort: string
  readonly user?: string
  readonly port: string
  readonly key?: string
  readonly passphraseFile?: string
  readonly passwordFile?: string
  readonly askPassword?: boolean
  readonly sudoPasswordFile?: string
  readonly askSudoPassword?: boolean
  readonly hostKey?: string
  readonly acceptNewHostKeys?: boolean
  readonly knownHosts?: string
  readonly server?: string
  readonly executable?: string
  readonly install?: boolean
  readonly dryRun?: boolean
  readonly measureSpeed?: boolean
  readonly parallel: string
  readonly stateDir: string
  readonly docker: string
}

/** The machines that are named or in the inventory, with all that was said about them. */
export async function entriesOf(
  words: readonly string[],
  options: AddOptions,
  signal: AbortSignal,
): Promise<MachineEntry[]> {
  const defaults = await defaultsOf(options, signal)
  const { inventory, node, address, hostKey } = options
  if (words.length > 0 === (inventory !== undefined))
    throw new BerthError('usage.no-machine', 'name machines (USER@HOST …) or give --inventory FILE, one of the two')
  if (inventory !== undefined) return parseInventory(readText(inventory), inventory, defaults)
  if (words.length > 1 && (node ?? address ?? hostKey) !== undefined)
    throw new BerthError(
      'usage.one-machine',
      '--node, --address and --host-key are of a single machine; for many write an inventory',
    )
  const { user, port, ...rest } = defaults
  const own = {
    ...(node === undefined ? {} : { node }),
    ...(address === undefined ? {} : { address }),
    ...(hostKey === undefined ? {} : { hostKey }),
  }
  const entries = words.map((word) => ({ target: parseSshTarget(word, { user, port }), ...rest, ...own }))
  const twin = twinsIn(entries)[0]
  if (twin !== undefined) throw new BerthError('usage.one-machine', twin)
  return entries
}

async function defaultsOf(options: AddOptions, signal: AbortSignal): Promise<MachineDefaults> {
  const secret = async (
    file: string | undefined,
    asks: boolean | undefined,
    what: string,
  ): Promise<string | undefined> => {
    if (file !== undefined) return readText(file).replace(/\r?\n$/, '')
    return asks === true ? await readSecret(what, signal) : undefined
  }
  const { key: keyFile, passphraseFile, passwordFile, askPassword, sudoPasswordFile, askSudoPassword } = options
  const { group, network } = options
  const passphrase = await secret(passphraseFile, false, 'passphrase')
  const password = await secret(passwordFile, askPassword, 'password of the machines')
  const sudoPassword = (await secret(sudoPasswordFile, askSudoPassword, 'password for sudo there')) ?? password
  const login: SshLogin = {
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(password === undefined ? {} : { password }),
  }
  const labels = Object.fromEntries(
    Object.entries(parseLabels(options.label)).map(([key, value]) => [key, value ?? '']),
  )
  return {
    ...{
      user: options.user ?? userInfo().username,
      port: parsePort(options.port),
      login,
      labels,
      gateway: options.gateway,
    },
    ...{ httpPort: parsePort(options.httpPort), httpsPort: parsePort(options.httpsPort) },
    ...(group === undefined ? {} : { group }),
    ...(network === undefined ? {} : { network: parseDriver(network) }),
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
  }
}
