import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { readPrivateFile } from '../files/private-files.ts'
import { checkTls, refuseMissingTls } from './etcd/check-tls.ts'
import { type EtcdStoreOptions, openEtcdStore } from './etcd/etcd-store.ts'
import type { TlsFiles } from './etcd/member-credentials.ts'
import { openSqliteStore } from './sqlite/sqlite-store.ts'
import type { Store } from './store.ts'
import type { StoreError } from './store-error.ts'
import { parseStoreLocation, type StoreLocation, type StoreSettings } from './store-location.ts'

export interface OpenStoreOptions {
  readonly settings: StoreSettings
  /** The server's directory, where SQLite's file is unless it is named. */
  readonly directory: string
  readonly log: Logger
  readonly worker?: (() => Worker) | undefined
  /** Gives the store a new epoch: for what is being filled from elsewhere. */
  readonly newEpoch?: boolean
  readonly onFailure?: (error: StoreError) => void
  readonly signal?: AbortSignal | undefined
}

/** Who answers has answered by then, most of the time. */
const suspiciousMs = 1_000

export const sqlitePath = (directory: string, { path }: Extract<StoreLocation, { kind: 'sqlite' }>): string =>
  path ?? join(directory, 'store.db')

/** The one place where settings become an adapter. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { settings, directory, log, worker, onFailure, signal } = options
  const location = parseStoreLocation(settings)
  const shared = {
    log,
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(signal === undefined ? {} : { signal }),
  }
  if (location.kind === 'etcd') return openEtcd(location, settings, { ...shared, newEpoch: options.newEpoch === true })
  return openSqliteStore({
    ...shared,
    path: sqlitePath(directory, location),
    ...(worker === undefined ? {} : { worker }),
  })
}

async function openEtcd(
  { addresses, prefix, tls, compaction }: Extract<StoreLocation, { kind: 'etcd' }>,
  settings: StoreSettings,
  shared: { readonly log: Logger; readonly newEpoch: boolean; readonly signal?: AbortSignal },
): Promise<Store> {
  const files = tls ? await readTlsFiles(settings) : undefined
  if (files !== undefined) await checkTls(addresses, files, shared.signal)
  const login =
    settings.user === undefined ? {} : { login: { user: settings.user, password: await readPassword(settings) } }
  const compacting = compaction ? {} : { compaction: false as const }
  const tlsFiles = files === undefined ? {} : { tls: files }
  const options = { ...shared, addresses, prefix, ...tlsFiles, ...login, ...compacting }
  return files === undefined ? await openWithoutTls(options) : await openEtcdStore(options)
}

/** An etcd that speaks TLS is none that does not answer: said as soon as it is known, not when all patience is over. */
async function openWithoutTls(options: EtcdStoreOptions): Promise<Store> {
  const giveUp = new AbortController()
  const signal = AbortSignal.any([giveUp.signal, ...(options.signal === undefined ? [] : [options.signal])])
  const opening = openEtcdStore({ ...options, signal })
  const suspicion = async (): Promise<Store> => {
    const isOpen = await Promise.race([opening.then(() => true), delay(suspiciousMs, false)])
    if (!isOpen) await refuseMissingTls(options.addresses)
    return await opening
  }
  try {
    return await Promise.race([opening, suspicion()])
  } catch (error) {
    giveUp.abort(error)
    if (error instanceof BerthError && error.code === 'store.unavailable') await refuseMissingTls(options.addresses)
    throw error
  }
}

async function readTlsFiles({ caFile, certificateFile, keyFile }: StoreSettings): Promise<TlsFiles> {
  return {
    ...(caFile === undefined ? {} : { ca: await read(caFile, "the authority of etcd's certificates") }),
    ...(certificateFile === undefined ? {} : { certificate: await read(certificateFile, 'the certificate for etcd') }),
    ...(keyFile === undefined ? {} : { key: await read(keyFile, 'the key for etcd') }),
  }
}

async function read(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new BerthError('store.file-unreadable', `read ${what}: ${messageOf(cause)}`, { cause, details: { path } })
  }
}

async function readPassword({ passwordFile = '' }: StoreSettings): Promise<string> {
  const text = await readPrivateFile(passwordFile)
  const password = text?.replace(/\r?\n$/, '') ?? ''
  if (password !== '') return password
  throw new BerthError('store.file-unreadable', `read the password for etcd: ${passwordFile} is empty or not there`, {
    details: { path: passwordFile },
  })
}
