/**
 * A command line as a shell would take it apart: spaces separate, quotes keep together, a backslash takes the next character as it is.
 * Nothing is expanded: what is run is an argument vector, and no shell sees it. undefined while a quote is open.
 */
export function splitWords(line: string): readonly string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let i = 0; i < line.length; i += 1) {
    const char = line[i] ?? ''
    if (char === '\\' && quote !== "'" && i + 1 < line.length) {
      i += 1
      word = (word ?? '') + line[i]
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined
      else word = (word ?? '') + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  if (quote !== undefined) return undefined
  return word === undefined ? words : [...words, word]
}

/** The other way round, for reading: `node fix.js 'a b'`. */
export const joinWords = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
