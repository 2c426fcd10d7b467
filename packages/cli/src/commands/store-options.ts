import { resolve } from 'node:path'
import { BerthError } from '@berth/core'
import type { HostConfig, HostStore } from '@berth/host'
import type { Command } from 'commander'

/** Where the server's records are. */
export interface StoreOptions {
  readonly store?: string
  readonly storeCa?: string
  readonly storeCert?: string
  readonly storeKey?: string
  readonly storeUser?: string
  readonly storePasswordFile?: string
}

export const withStoreOptions = (command: Command): Command =>
  command
    .option('--store <url>', 'where the records are: sqlite, or etcd://HOST:2379,HOST:2379/PREFIX')
    .option('--store-ca <file>', "authority of etcd's certificates; with it the connection is TLS")
    .option('--store-cert <file>', 'client certificate for etcd')
    .option('--store-key <file>', 'its key')
    .option('--store-user <name>', "etcd's user")
    .option('--store-password-file <file>', 'file with its password, mode 600')

/** What goes into the machine's configuration; told nothing, it stays with the store that it has. */
export function hostStore(options: StoreOptions, former: HostConfig | undefined): HostStore | undefined {
  const { store: url, storeCa, storeCert, storeKey, storeUser, storePasswordFile } = options
  if (url === undefined) {
    if ([storeCa, storeCert, storeKey, storeUser, storePasswordFile].some((each) => each !== undefined))
      throw new BerthError('usage.store', 'options of the store say nothing without --store etcd://…')
    return former?.server?.store
  }
  if (url === 'sqlite') return undefined
  return {
    url: url.startsWith('sqlite:') ? `sqlite:${resolve(url.slice('sqlite:'.length))}` : url,
    ...(storeCa === undefined ? {} : { caFile: resolve(storeCa) }),
    ...(storeCert === undefined ? {} : { certificateFile: resolve(storeCert) }),
    ...(storeKey === undefined ? {} : { keyFile: resolve(storeKey) }),
    ...(storeUser === undefined ? {} : { user: storeUser }),
    ...(storePasswordFile === undefined ? {} : { passwordFile: resolve(storePasswordFile) }),
  }
}

/** The same as arguments of a role of this program. */
export const storeArguments = ({ url, caFile, certificateFile, keyFile, user, passwordFile }: HostStore): string[] =>
  Object.entries({
    '--store': url,
    '--store-ca': caFile,
    '--store-cert': certificateFile,
    '--store-key': keyFile,
    '--store-user': user,
    '--store-password-file': passwordFile,
  }).flatMap(([name, value]) => (value === undefined ? [] : [name, value]))
