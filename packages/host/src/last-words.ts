const mostLength = 500
const isNoise = (line: string): boolean => line === '' || /^(Node\.js v|at )/.test(line)
const saysWhy = (line: string): boolean => /^(\w*Error|error)\b.*: /.test(line)

/**
 * What a process said last that may be why it ended, out of its log: the message of the error that it died of, else its last two lines,
 * entries of pino as their message. Empty when there is nothing of the kind.
 */
export function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .slice(-200)
    .map((line) => plain(line.trim()))
    .filter((line) => !isNoise(line))
  const why = lines.slice(-30).findLast(saysWhy)
  return (why ?? lines.slice(-2).join(' · ')).slice(0, mostLength)
}

function plain(line: string): string {
  if (!line.startsWith('{')) return line
  try {
    const { msg, reason, err } = JSON.parse(line) as Record<string, unknown> & { readonly err?: { message?: unknown } }
    return [msg, reason, err?.message].filter((each) => typeof each === 'string' && each !== '').join(': ')
  } catch {
    return line
  }
}
