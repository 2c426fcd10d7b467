import { BerthError } from '../model/berth-error.ts'
import { isVariableName } from '../model/names.ts'

/**
 * Quoting for the classic builder's Dockerfile language. Every instruction is one line. RUN and ENTRYPOINT in JSON form are taken as
 * they are; the words of COPY and ENV go through Docker's own word expansion, where `$`, quotes and backslashes mean something.
 */

/** An argument vector in JSON form: no shell, no expansion. */
export function execForm(argv: readonly string[]): string {
  for (const word of argv) refuseNul(word)
  const line = JSON.stringify(argv)
  if (line.length > maxLineLength) {
    const start = JSON.stringify((argv.at(-1) ?? '').slice(0, 60))
    throw invalid(
      `the build command ${start}… is longer than Docker takes (64 KiB): put it into a script of the repository`,
    )
  }
  return line
}

/** Docker's parser refuses lines above 64 KiB; characters take up to 3 bytes each there. */
const maxLineLength = 20_000

/** A source of COPY in JSON form that stands for exactly this path: no variable, no wildcard. */
export const sourceWord = (path: string): string => literalWord(path.replace(/[*?[]/g, '[$&]'))

/** The target of COPY in JSON form: no variable. */
export const targetWord = (path: string): string => literalWord(path)

function literalWord(text: string): string {
  refuseNul(text)
  return text.replace(/[\\$'"]/g, '\\$&')
}

/** The value of ENV, quoted; `$NAME` and `${NAME}` in it stay alive, `$$` is a dollar sign. */
export function envValue(name: string, value: string): string {
  if (!isVariableName(name)) throw invalid(`${JSON.stringify(name)} cannot name a variable`)
  if (/[\0\r\n]/.test(value)) throw invalid(`the value of ${name} has a line break, which an image's ENV cannot hold`)
  return `"${value.replace(/[\\"]/g, '\\$&').replaceAll('$$', '\\$')}"`
}

/** One `"name"="value"` of LABEL, without expansion. */
export function labelPair(name: string, value: string): string {
  if (/[\0\r\n]/.test(name + value)) throw invalid(`the label ${JSON.stringify(name)} has a line break`)
  return `${quoted(name)}=${quoted(value)}`
}

const quoted = (text: string): string => `"${text.replace(/[\\"$]/g, '\\$&')}"`

export function argName(name: string): string {
  if (isVariableName(name)) return name
  throw invalid(`${JSON.stringify(name)} cannot name a build argument: use letters, digits and _`)
}

function refuseNul(word: string): void {
  if (word.includes('\0')) throw invalid(`${JSON.stringify(word)} has a NUL character, which no command can take`)
}

const invalid = (message: string): BerthError => new BerthError('build.invalid-text', message)
