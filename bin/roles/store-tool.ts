import { join } from 'node:path'
import { BerthError } from '../../packages/core/src/index.ts'
import { migrateStore } from '../../packages/server/src/copies/migrate-store.ts'
import { lookAtStore } from '../../packages/server/src/copies/offline-store.ts'
import { restoreBackup } from '../../packages/server/src/copies/restore-backup.ts'
import { verifyBackup } from '../../packages/server/src/copies/verify-backup.ts'
import { readPrivateFile } from '../../packages/server/src/files/private-files.ts'
import type { StoreSettings } from '../../packages/server/src/store/store-location.ts'
import { type RoleArguments, readRoleArguments } from '../role-arguments.ts'
import { storeOptions, storeSettings } from '../store-settings.ts'
import { storeWorker } from '../store-worker.ts'
import { untilSignal } from '../until-signal.ts'

/**
 * What is done with stores while no server stands on them: `migrate`, `restore FILE`, `verify FILE`; and `look`, whether one could. Called by the commands of the CLI, which
 * print what it answers: one JSON document on standard output, or an error as the API gives it on standard error.
 */
export async function run(args: readonly string[]): Promise<number> {
  const role = readRoleArguments(args, {
    ...{ command: 'berth store-tool', tasks: Object.keys(tasks) },
    options: ['from', 'to', 'passphrase-file', 'keys', ...storeOptions],
  })
  role.log.level = 'silent'
  const [task = '', file = ''] = role.words
  try {
    const work = tasks[task]
    if (work === undefined) throw new BerthError('usage.task', `${task} is no task of store-tool`)
    process.stdout.write(`${JSON.stringify(await work(role, file))}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof BerthError)) throw error
    const { code, message, retryable, details } = error
    process.stderr.write(`${JSON.stringify({ error: { code, message, retryable, details } })}\n`)
    return 1
  }
}

const tasks: Readonly<Record<string, (role: RoleArguments, file: string) => Promise<unknown>>> = {
  migrate: async (role) => {
    const { values } = role
    return await migrateStore(sideOf(values.from, values), sideOf(values.to, values), offline(role))
  },
  restore: async (role, file) => {
    const to = storeSettings(role.values, role.config) ?? { url: 'sqlite' }
    const withoutKeys = role.values.keys === 'none'
    return await restoreBackup(file, to, { ...offline(role), passphrase: await passphraseOf(role), withoutKeys })
  },
  look: async (role) => await lookAtStore(storeSettings(role.values, role.config) ?? { url: 'sqlite' }, offline(role)),
  verify: async (role, file) => await verifyBackup(file, { ...offline(role), passphrase: await passphraseOf(role) }),
}

const offline = ({ paths, log }: RoleArguments) => ({
  directory: join(paths.stateDir, 'server'),
  log,
  worker: storeWorker(),
  signal: untilSignal(),
})

/** Certificates, user and password are those of the side that is etcd; of both, if both are. */
function sideOf(url = '', values: RoleArguments['values']): StoreSettings {
  return url.startsWith('etcd') ? (storeSettings({ ...values, store: url }, undefined) as StoreSettings) : { url }
}

async function passphraseOf({ values }: RoleArguments): Promise<string | undefined> {
  const path = values['passphrase-file']
  if (path === undefined) return undefined
  const text = (await readPrivateFile(path))?.replace(/\r?\n$/, '') ?? ''
  if (text !== '') return text
  throw new BerthError('backup.no-passphrase', `read the passphrase: ${path} is empty or not there`)
}
