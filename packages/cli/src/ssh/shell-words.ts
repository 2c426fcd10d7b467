/** SSH carries one text, which the user's shell there reads: each word in quotes, so that it stays one word, whatever it holds. */
export const shellWords = (argv: readonly string[]): string => argv.map(quote).join(' ')

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
