import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { HostConfig, HostPaths, HostStore } from '@berth/host'
import { folderArguments } from './run-role.ts'
import { storeArguments } from './store-options.ts'
import { runTool } from './store-tools.ts'

export interface StoreChange {
  readonly paths: HostPaths
  /** What was up here before. */
  readonly former: HostConfig | undefined
  /** Absent: SQLite in the state directory. */
  readonly store: HostStore | undefined
  readonly program: readonly string[]
  readonly signal: AbortSignal
}

/**
 * Before a server is started on another store than before: it has to be there, and to hold records, for a server on an empty one knows neither apps
 * nor nodes. Throws `store.empty` and what opening it throws.
 */
export async function checkStore({ paths, former, store, program, signal }: StoreChange): Promise<void> {
  const own = former?.server
  if (own !== undefined && urlOf(own.store) === urlOf(store)) return
  const args = [...folderArguments(paths), ...(store === undefined ? ['--store', 'sqlite'] : storeArguments(store))]
  const { isEmpty } = await runTool<{ readonly isEmpty: boolean }>(program, 'look', args, signal)
  if (own === undefined || !isEmpty) return
  const [from, to] = [urlOf(own.store), urlOf(store)]
  throw new BerthError(
    'store.empty',
    `berth up --store ${to}: there are no records in it, and this cluster's are in ${from}; move them first: berth down, then berth store migrate --from ${from} --to ${to}, then this again. Nothing was changed`,
  )
}

const urlOf = (store: HostStore | undefined): string => store?.url ?? 'sqlite'

/** A node does not become a server of a cluster of its own by an option that was meant for another machine. */
export function requireServerKey({ stateDir }: HostPaths, { node }: HostConfig): void {
  if (existsSync(join(stateDir, 'server/secret.key'))) return
  throw new BerthError(
    'server.no-key',
    `berth up --store: this machine is node ${node} of a cluster and has not the key to be a server of it; on a server: berth server token, then here what that prints, then this again`,
  )
}

/** A machine that was given the key of a cluster, and no store, would found a cluster of its own with it. */
export function refuseLoneKey({ stateDir }: HostPaths): void {
  const folder = join(stateDir, 'server')
  if (!existsSync(join(folder, 'secret.key')) || existsSync(join(folder, 'store.db'))) return
  throw new BerthError(
    'server.lone-key',
    `berth up: this machine has the key of a cluster (${folder}/secret.key), and no records. To be one more server say where they are: berth up --store etcd://…; after a loss bring them back first: berth restore FILE; for a cluster of its own move ${folder} away. Nothing was changed`,
  )
}
