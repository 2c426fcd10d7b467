export interface App {
  readonly name: string
  /** URL or absolute path of the repository; absent for apps made of a ready image only. */
  readonly repository?: string
  readonly vcs: 'git' | 'svn'
  readonly createdAt: number
  readonly createdBy: string
  /** Number of the next release; releases are `v1`, `v2`, … */
  readonly nextRelease: number
  /** Its pools are being removed; with the last of them the app goes, with releases, builds and secrets. */
  readonly removing?: boolean
}
