/** Kept for a bounded time; the event stream shows them live. Key `/events/<revision-ordered id>`. */
export interface BerthEvent {
  readonly id: string
  readonly at: number
  /** `rollout.started`, `instance.ready`, `secret.set`, … */
  readonly type: string
  readonly actor: string
  readonly subject: {
    readonly app?: string
    readonly pool?: string
    readonly instance?: string
    readonly node?: string
    readonly rollout?: string
    readonly build?: string
    readonly release?: string
  }
  readonly message: string
}
