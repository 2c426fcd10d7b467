/** Instances whose record could not be written, as one sentence however many they are: a full disk concerns all of them. */
export class RecordProblems {
  readonly #reasons = new Map<string, string>()

  /** `undefined`: it is written, or not needed any more. */
  set(instance: string, reason: string | undefined): void {
    if (reason === undefined) this.#reasons.delete(instance)
    else this.#reasons.set(instance, reason)
  }

  get sentence(): string | undefined {
    const [first] = this.#reasons
    if (first === undefined) return undefined
    const others = this.#reasons.size - 1
    const more = others === 0 ? '' : `, and of ${others} other instance${others === 1 ? '' : 's'}`
    return `could not write the record of ${first[0]}${more}: ${first[1]}; it is tried again every half minute`
  }
}
