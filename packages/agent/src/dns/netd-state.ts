import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { BerthError, type NameTable, type NetworkConfig, type TwinPool } from '@berth/core'

/**
 * The files by which the agent tells netd what to answer; netd needs nothing else, neither server nor agent nor Docker. Each holds two
 * lines of JSON: a header with the format and the checksum of the second line, and the content.
 */
export interface NetdState {
  readonly names: NameTable
  readonly network: NetworkConfig
  readonly instances: readonly LocalInstance[]
}

/** All of its files. The last one is for the plugin, and absent on a node in bridge mode. */
export interface NetdFileContents extends NetdState {
  readonly routed: RoutedSettings
}

/** What the plugin needs to know of this node's network to give containers links of their own (routed mode). */
export interface RoutedSettings {
  /** The node's block, `10.77.3.0/24`. */
  readonly block: string
  /** Of the pool that the block is of: instances may have addresses of other nodes' blocks. Absent: from an agent before that was possible. */
  readonly range?: string
  /** Of the way out of the node. */
  readonly mtu: number
  /** Pools with IPv6: who has an address of one is given its twin. Absent: none. */
  readonly twins?: readonly TwinPool[]
}

/**
 * An instance of this node, ready or not, from before its container starts. By its address netd knows the pool of an asker; the name
 * table cannot say it, since it holds ready instances only.
 */
export interface LocalInstance {
  readonly instance: string
  readonly app: string
  readonly pool: string
  readonly address: string
}

export type NetdStateFile = keyof NetdFileContents

export const netdDirectory = (stateDir: string): string => join(stateDir, 'netd')

export const netdStatePath = (stateDir: string, file: NetdStateFile): string =>
  join(netdDirectory(stateDir), `${file}.json`)

const format = 1

const isContent: { readonly [File in NetdStateFile]: (content: unknown) => content is NetdFileContents[File] } = {
  names: (content): content is NameTable => isRecord(content) && Array.isArray(content.entries),
  network: (content): content is NetworkConfig =>
    isRecord(content) && typeof content.pool === 'string' && typeof content.domain === 'string',
  instances: (content): content is readonly LocalInstance[] => Array.isArray(content),
  routed: (content): content is RoutedSettings =>
    isRecord(content) && typeof content.block === 'string' && typeof content.mtu === 'number',
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const checksumOf = (line: string): string => createHash('sha256').update(line).digest('hex')

export function encodeNetdState<File extends NetdStateFile>(content: NetdFileContents[File]): string {
  const line = JSON.stringify(content)
  return `${JSON.stringify({ format, sha256: checksumOf(line) })}\n${line}\n`
}

/** Throws `netd.corrupt-state` for anything that {@link encodeNetdState} did not write whole. */
export function decodeNetdState<File extends NetdStateFile>(file: File, text: string): NetdFileContents[File] {
  const [header = '', line = ''] = text.split('\n', 2)
  const { format: found, sha256 } = parseHeader(header)
  if (found === undefined) throw corrupt(file, 'its header is broken')
  if (found !== format) throw corrupt(file, `it has format ${String(found)}, this netd reads format ${format}`)
  if (sha256 !== checksumOf(line)) throw corrupt(file, 'its checksum does not match its content')
  const content: unknown = JSON.parse(line)
  if (!isContent[file](content)) throw corrupt(file, 'its content is of another shape')
  return content
}

function parseHeader(header: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(header)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

const corrupt = (file: NetdStateFile, why: string): BerthError =>
  new BerthError('netd.corrupt-state', `read ${file}.json of netd: ${why}; the agent writes it anew when it starts`)
