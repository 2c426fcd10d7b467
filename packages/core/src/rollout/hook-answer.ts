export type HookWhen = 'before' | 'after'

/** What came of a hook's URL, all tries together. */
export interface HookAnswer {
  readonly ok: boolean
  /** `it answered with 500` */
  readonly message: string
  readonly output?: string
}

/** Of what a hook printed or answered, so many characters are kept. */
export const mostHookOutput = 1000

/** The same whoever asks, and however often: whoever is told of a hook twice knows it by this. */
export const hookId = (rollout: string, stage: number, when: HookWhen, place: number): string =>
  `${rollout}.${stage}.${when}.${place}`
