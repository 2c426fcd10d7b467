/** What the shell gets; `docs/cli.md` lists them. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** Wrong words on the command line. */
  usage: 2,
  /** The rollout ended, but the release does not serve: rolled back, failed or aborted. */
  notRolledOut: 3,
  /** `plan`: there would be changes. */
  changes: 1,
  /** `plan` itself failed. */
  planFailed: 255,
  /** Ctrl-C: what was watched goes on. */
  interrupted: 130,
} as const

/** Thrown to end with a code after everything has been said. */
export class Exit extends Error {
  readonly code: number

  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}
