import type { Instance, InstanceStatus } from '@berth/core'

type Mutable = Record<string, unknown>

/** What many instances say alike. */
const instanceFields = [
  'app',
  'pool',
  'entrypoint',
  'release',
  'type',
  'rollout',
  'desired',
  'node',
  'group',
  'createdBy',
]
/** What a status repeats of its instance. */
const statusFields = ['id', 'node', 'address'] as const
/** Old names are not kept for ever. */
const mostTexts = 100_000

/**
 * A text that was read is a copy of its own. Of a million instances the same few names would be a million copies, so that records which
 * have just been read get the one that is there already. Only those that nobody has seen yet may be changed so.
 */
export class SharedStrings {
  readonly #texts = new Map<string, string>()

  instance(record: Instance): void {
    const fields = record as unknown as Mutable
    for (const name of instanceFields) {
      const text = fields[name]
      if (typeof text === 'string') fields[name] = this.#shared(text)
    }
  }

  status(record: InstanceStatus, instance: Instance | undefined): void {
    if (instance === undefined) return
    const fields = record as unknown as Mutable
    // A field that neither has is not to be made: a status with it would differ from the same one without.
    for (const name of statusFields)
      if (fields[name] !== undefined && fields[name] === instance[name]) fields[name] = instance[name]
  }

  #shared(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size >= mostTexts) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }
}
