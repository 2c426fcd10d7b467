import { mkdir, open, rename, rm } from 'node:fs/promises'
import type { NameTable, NetworkConfig } from '@berth/core'
import {
  encodeNetdState,
  type LocalInstance,
  type NetdFileContents,
  type NetdStateFile,
  netdDirectory,
  netdStatePath,
  type RoutedSettings,
} from './netd-state.ts'

export interface WriteOptions {
  readonly signal?: AbortSignal
}

/**
 * Writes netd's files, each atomically and durably. Writes of one file that meet are merged: a call resolves when its value or a newer
 * one is on disk. netd answers by a new file within 100 ms.
 */
export interface NetdFiles {
  writeNames(names: NameTable, options?: WriteOptions): Promise<void>
  writeNetwork(network: NetworkConfig, options?: WriteOptions): Promise<void>
  /** To be called before a container of a new instance starts, so that its first question is answered for its own pool. */
  writeInstances(instances: readonly LocalInstance[], options?: WriteOptions): Promise<void>
  /** What the plugin is to serve, before Docker asks it for a network; undefined: nothing any more. */
  writeRouted(settings: RoutedSettings | undefined, options?: WriteOptions): Promise<void>
}

/** @param stateDir Berth's state directory; the files are in `netd/` below it. */
export function createNetdFiles(stateDir: string): NetdFiles {
  const writers = {
    names: createLatestWriter<NameTable>((value) => writeState(stateDir, 'names', value)),
    network: createLatestWriter<NetworkConfig>((value) => writeState(stateDir, 'network', value)),
    instances: createLatestWriter<readonly LocalInstance[]>((value) => writeState(stateDir, 'instances', value)),
    routed: createLatestWriter<RoutedSettings | undefined>((value) =>
      value === undefined
        ? rm(netdStatePath(stateDir, 'routed'), { force: true })
        : writeState(stateDir, 'routed', value),
    ),
  }
  const write = async <Value>(writer: (value: Value) => Promise<void>, value: Value, options?: WriteOptions) => {
    options?.signal?.throwIfAborted()
    await writer(value)
  }
  return {
    writeNames: (names, options) => write(writers.names, names, options),
    writeNetwork: (network, options) => write(writers.network, network, options),
    writeInstances: (instances, options) => write(writers.instances, instances, options),
    writeRouted: (settings, options) => write(writers.routed, settings, options),
  }
}

async function writeState<File extends NetdStateFile>(
  stateDir: string,
  file: File,
  content: NetdFileContents[File],
): Promise<void> {
  await mkdir(netdDirectory(stateDir), { recursive: true })
  const path = netdStatePath(stateDir, file)
  const temporary = `${path}.new`
  await using handle = await open(temporary, 'w', 0o644)
  await handle.writeFile(encodeNetdState<File>(content))
  await handle.datasync()
  await rename(temporary, path)
}

/** One write at a time; of the values that arrive meanwhile only the last is written. */
function createLatestWriter<Value>(write: (value: Value) => Promise<void>): (value: Value) => Promise<void> {
  let latest: Value
  let tail: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  return (value) => {
    latest = value
    if (next !== undefined) return next
    const mine = tail.then(() => {
      next = undefined
      return write(latest)
    })
    next = mine
    tail = mine.catch(() => {})
    return mine
  }
}
