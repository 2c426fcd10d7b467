import { BerthError } from '../model/berth-error.ts'
import { isName, nameRule } from '../model/names.ts'

/** What `base:` and a level's `from:` may name. */
export type BaseName =
  | { readonly type: 'level'; readonly level: string }
  | { readonly type: 'image'; readonly reference: string }
  /** The empty image: the level brings everything itself. */
  | { readonly type: 'scratch' }

const host = '[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?'
const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const referencePattern = new RegExp(
  `^(?:${host}/)?${part}(?:/${part})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$`,
)

/** A text that Docker takes as an image's name (`node:26-slim`, `registry.example:5000/team/app@sha256:…`) or id (`sha256:…`). */
export const isImageReference = (text: string): boolean => text.length <= 512 && referencePattern.test(text)

/**
 * The rule that tells levels from images: what has a `/`, `:` or `.` is an image reference, anything else names a level. Throws
 * `build.bad-base` for what can be neither; nothing that passes can break out of a Dockerfile's line.
 */
export function readBaseName(text: string): BaseName {
  if (text === 'scratch') return { type: 'scratch' }
  if (/[/:.]/.test(text)) {
    if (isImageReference(text)) return { type: 'image', reference: text }
    throw new BerthError('build.bad-base', `${JSON.stringify(text)} is no image reference such as "node:26-slim"`)
  }
  return { type: 'level', level: checkLevelName(text) }
}

/** Returns the name of a level, or throws `build.bad-base`. */
export function checkLevelName(text: string): string {
  if (isName(text) && text !== 'scratch') return text
  const hint = `use ${nameRule}; an image reference has a tag, as in "${proposeReference(text)}"`
  throw new BerthError('build.bad-base', `${JSON.stringify(text)} cannot name a level: ${hint}`)
}

const proposeReference = (text: string): string => (isImageReference(text) ? `${text}:latest` : 'node:26-slim')
