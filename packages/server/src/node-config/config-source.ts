import { posix } from 'node:path'
import { formatProblems, type ParsedNodeConfig, parseNodeConfig } from '@berth/api'
import { BerthError, type ConfigSource, type FilesBeside, type NodeConfigSpec } from '@berth/core'
import type { SourceCommit, SourceStore } from '../source/source-store.ts'

/** The document itself, or where it is. */
export interface SourceRequest {
  readonly text?: string | undefined
  readonly files?: FilesBeside | undefined
  readonly repository?: string | undefined
  readonly ref?: string | undefined
  readonly path?: string | undefined
}

export interface ReadConfig {
  readonly spec: NodeConfigSpec
  readonly source: ConfigSource
}

export const defaultConfigPath = 'nodes.yaml'
/** Under which its mirror is kept; no app is called so, since names of apps have no dot. */
const mirrorName = 'berth-node-configuration'

/** Throws `configuration.invalid` with every mistake, `configuration.no-document`, and what reading the repository may say. */
export async function readConfig(
  sources: Pick<SourceStore, 'fetch' | 'readFile'>,
  request: SourceRequest,
  signal: AbortSignal | undefined,
): Promise<ReadConfig> {
  const { text, files = {}, repository, ref = 'HEAD', path = defaultConfigPath } = request
  if (text !== undefined) return { spec: accepted(parseNodeConfig(text, files), path, text), source: { path } }
  if (repository === undefined)
    throw new BerthError('configuration.no-document', 'there is no document: send one, or name a repository')
  const at = await sources.fetch({ app: mirrorName, repository, vcs: 'git', ref, signal })
  const document = await sources.readFile(at, path, { signal })
  if (document === undefined)
    throw new BerthError(
      'configuration.no-document',
      `there is no ${path} at ${at.commit.slice(0, 12)} of ${at.repository}`,
    )
  const { needs } = parseNodeConfig(document, undefined)
  const beside = await readBeside(sources, at, posix.dirname(path), needs, signal)
  const spec = accepted(parseNodeConfig(document, beside), path, document)
  return { spec, source: { repository: at.repository, commit: at.commit, subject: at.subject, path } }
}

async function readBeside(
  sources: Pick<SourceStore, 'readFile'>,
  at: SourceCommit,
  folder: string,
  needs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<FilesBeside> {
  const beside: Record<string, string> = {}
  for (const need of needs) {
    const text = await sources.readFile(at, posix.join(folder, need), { signal })
    if (text !== undefined) beside[need] = text
  }
  return beside
}

function accepted({ spec, problems }: ParsedNodeConfig, path: string, text: string): NodeConfigSpec {
  if (spec !== undefined) return spec
  const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`
  throw new BerthError('configuration.invalid', `${path} has ${count}:\n${formatProblems(problems, path, text)}`, {
    details: { problems },
  })
}
