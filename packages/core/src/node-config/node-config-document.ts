import type { Json } from './node-config.ts'

/** The shape of the document as it is written; what its values may be is checked by `canonicalizeNodeConfig`. */
export interface NodeConfigDocument {
  readonly enforce?: boolean | undefined
  readonly rollout?: ConfigRolloutDocument | undefined
  readonly rules?: readonly ConfigRuleDocument[] | undefined
}

export interface ConfigRolloutDocument {
  readonly batch?: number | string | undefined
  readonly pause?: number | string | undefined
  readonly within?: number | string | undefined
  readonly onFailure?: 'stop' | 'undo' | undefined
}

export interface ConfigRuleDocument {
  readonly groups?: string | readonly string[] | undefined
  readonly where?: string | readonly string[] | undefined
  readonly docker?: DockerDocument | undefined
  readonly sysctls?: Readonly<Record<string, string | number | boolean>> | undefined
  readonly packages?: readonly string[] | undefined
  readonly files?: Readonly<Record<string, FileDocument>> | undefined
  readonly checks?: readonly (string | CheckDocument)[] | undefined
}

export interface DockerDocument {
  readonly options?: Readonly<Record<string, unknown>> | undefined
  readonly mirrors?: readonly string[] | undefined
  readonly insecure?: readonly string[] | undefined
  readonly registries?: Readonly<Record<string, RegistryDocument>> | undefined
}

export interface RegistryDocument {
  readonly ca?: FileDocument | undefined
}

export interface FileDocument {
  readonly content?: string | undefined
  readonly from?: string | undefined
  readonly mode?: string | undefined
  readonly owner?: string | undefined
  readonly run?: string | readonly string[] | undefined
}

export interface CheckDocument {
  readonly command?: string | readonly string[] | undefined
  readonly timeout?: number | string | undefined
}

/** Content of the files that the document takes from beside itself, by the path that it names. */
export type FilesBeside = Readonly<Record<string, string>>

/** Numbers that are not whole came as the text of the file, and so they stay. */
export const asJson = (value: unknown): Json => value as Json
