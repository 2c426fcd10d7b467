import {
  canonicalJson,
  type ItemChange,
  itemKinds,
  kindOf,
  messageOf,
  type NodeConfig,
  nameOf,
  type OwnedItems,
  undoChanges,
} from '@berth/core'
import type { Logger } from 'pino'
import type { ConfigMemory, Journal } from './config-memory.ts'
import { mustRun } from './host-run.ts'
import type { KindOptions } from './item-kind.ts'
import type { Machine } from './machine.ts'

const runMs = 60_000

/** Makes the changes, kind by kind; `onStage` is told of each before it begins. */
export async function applyStages(
  machine: Machine,
  { order, changes, owned }: Journal,
  before: Pick<ConfigMemory, 'config' | 'owned'>,
  { signal, onStage }: KindOptions & { readonly onStage: (stages: number) => Promise<void> },
): Promise<void> {
  for (const [at, kind] of itemKinds.entries()) {
    const some = changes.filter(({ key }) => kindOf(key) === kind)
    const areKept = kind === 'sysctl' && !sameSettings(owned, before.owned)
    if (some.length === 0 && !areKept) continue
    await onStage(at + 1)
    await machine.write(kind, some, { signal })
    if (kind === 'file')
      for (const argv of runsOf(some, order.config, before.config)) await mustRun(argv, { timeoutMs: runMs, signal })
    if (kind === 'sysctl') await machine.keepSysctls(owned)
  }
}

/** Makes what the stages that have begun changed what it was, in reverse order. Commands of files do not keep it from that. */
export async function undoStages(
  machine: Machine,
  { order, changes, stages }: Journal,
  { config, owned }: Pick<ConfigMemory, 'config' | 'owned'>,
  { signal, log }: KindOptions & { readonly log: Logger },
): Promise<void> {
  for (const kind of itemKinds.slice(0, stages).toReversed()) {
    const some = undoChanges(changes.filter(({ key }) => kindOf(key) === kind))
    await machine.write(kind, some, { signal })
    if (kind === 'sysctl') await machine.keepSysctls(owned)
    if (kind !== 'file') continue
    for (const argv of runsOf(some, config, order.config))
      await mustRun(argv, { timeoutMs: runMs, signal }).catch((error: unknown) => {
        signal.throwIfAborted()
        log.warn({ reason: messageOf(error) }, 'a command of a file that was undone failed')
      })
  }
}

/** What is set again with the next boot; also of a setting that is no longer owned, and stays as it is. */
const sameSettings = (one: OwnedItems, other: OwnedItems): boolean =>
  canonicalJson(settingsOf(one)) === canonicalJson(settingsOf(other))
const settingsOf = (owned: OwnedItems): unknown =>
  Object.entries(owned).flatMap(([key, { value }]) => (kindOf(key) === 'sysctl' ? [[key, value]] : []))

/** Each command once, in the order of the files. */
function runsOf(changes: readonly ItemChange[], config: NodeConfig, other: NodeConfig): readonly (readonly string[])[] {
  const runs = changes.flatMap(({ key }) => {
    const name = nameOf(key)
    const run = config.files[name]?.run ?? other.files[name]?.run
    return run === undefined ? [] : [run]
  })
  return [...new Map(runs.map((argv) => [JSON.stringify(argv), argv])).values()]
}
