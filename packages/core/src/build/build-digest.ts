import { canonicalJson } from './canonical-json.ts'
import type { LevelContent } from './level.ts'

/** SHA-256 of the text's UTF-8, in lower-case hex. Given by the caller, since core does no I/O and has no crypto. */
export type Sha256 = (text: string) => string

/** Raised when generated Dockerfiles change in a way that must rebuild every image. */
const generatorVersion = 1

export interface LevelInputs {
  /** Digest of the level below, the resolved id of the foreign base image, or `scratch`. */
  readonly parent: string
  /** 1 for the lowest level. */
  readonly position: number
  readonly content: LevelContent
  /** Image id by reference of every `copy`. */
  readonly copied: Readonly<Record<string, string>>
}

/** A level's digest covers all that is below it: a new base image gives every level and every app on it a new digest. */
export const levelDigest = (level: LevelInputs, sha256: Sha256): string =>
  sha256(canonicalJson({ generatorVersion, kind: 'level', ...level, content: plain(level.content) }))

/** Where a level was found does not matter, nor the order of its files. */
const plain = (content: LevelContent) => ({
  name: content.name,
  manifest: { ...content.manifest, from: undefined },
  staticScript: content.staticScript,
  runtimeScript: content.runtimeScript,
  files: content.files
    .map(({ path, mode, digest }) => ({ path, mode, digest }))
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)),
})

export interface BuildInputs {
  /** Git tree id, or what stands for it in svn. */
  readonly tree: string
  /** What the image stands on: the digest of the chain's last level, or the ids of the images that a Dockerfile is from. */
  readonly chain: readonly string[]
  /** All that shapes the image besides the tree. Limits do not: they decide whether a build ends, not what it makes. */
  readonly settings: BuildSettings
}

export type BuildSettings =
  | {
      readonly type: 'chain'
      readonly run: readonly string[]
      readonly dependencyFiles: readonly string[]
      readonly dependencyRun: readonly string[]
      readonly args: Readonly<Record<string, string>>
    }
  | {
      readonly type: 'dockerfile'
      readonly dockerfile: string
      readonly target?: string | undefined
      readonly args: Readonly<Record<string, string>>
    }

/** Equal digests mean that a build would make the same image again. */
export function buildInputsDigest(inputs: BuildInputs, sha256: Sha256): string {
  return sha256(canonicalJson({ generatorVersion, kind: 'app', ...inputs, settings: settingsOf(inputs.settings) }))
}

/** Takes a whole BuildSpec too; only what is listed here counts. */
function settingsOf(settings: BuildSettings): BuildSettings {
  if (settings.type === 'dockerfile') {
    const { type, dockerfile, target, args } = settings
    return { type, dockerfile, target, args }
  }
  const { type, run, dependencyFiles, dependencyRun, args } = settings
  return { type, run, dependencyFiles, dependencyRun, args }
}
