/** `level.yaml`, with defaults filled in. */
export interface LevelManifest {
  /** What it stands on when an app names it as its base; as a runtime it stands on the level before it. */
  readonly from?: string
  /** Packages of the distribution, installed by whichever of apt-get, apk, dnf and microdnf the image has. */
  readonly packages: readonly string[]
  /** Parts of other images, copied before anything runs. */
  readonly copy: readonly LevelCopy[]
  /** Environment of all that stands on it; `$NAME` is replaced by the value from below. */
  readonly env: Readonly<Record<string, string>>
}

export interface LevelCopy {
  readonly from: string
  readonly path: string
  readonly to: string
}

export const emptyManifest: LevelManifest = { packages: [], copy: [], env: {} }

/** A file of a level's `files/`, by its path below it. `digest` changes with the content. */
export interface LevelFile {
  readonly path: string
  readonly mode: number
  readonly digest: string
}

/** The app's own level has the same parts as every other: `berth/` in its repository. */
export interface LevelContent {
  readonly name: string
  readonly manifest: LevelManifest
  readonly staticScript?: string
  readonly runtimeScript?: string
  readonly files: readonly LevelFile[]
}

/** Folder in the image that holds a level's scripts; the number makes `/berth/levels/*` sort base first. */
export const levelFolder = (position: number, name: string): string =>
  `/berth/levels/${String(position).padStart(2, '0')}-${name}`

/** Higher chains are a mistake, and two digits sort. */
export const maxLevels = 30
