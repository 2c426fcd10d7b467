import { createInterface } from 'node:readline/promises'

/** Questions to the person at the terminal, one after the other, whoever asks; absent where there is none. */
export function questions(signal: AbortSignal): ((question: string) => Promise<boolean>) | undefined {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return undefined
  let tail: Promise<unknown> = Promise.resolve()
  return (question) => {
    const answer = tail.then(() => yesOrNo(question, signal))
    tail = answer.catch(() => undefined)
    return answer
  }
}

async function yesOrNo(question: string, signal: AbortSignal): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `, { signal })).trim())
  } finally {
    prompt.close()
  }
}
