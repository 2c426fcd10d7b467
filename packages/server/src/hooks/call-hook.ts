import { setTimeout as delay } from 'node:timers/promises'
import { formatDuration, type HookAnswer, mostHookOutput } from '@berth/core'
import { signatureOf } from '../subscriptions/senders.ts'
import { failureText } from './failure-text.ts'

export interface HookCall {
  /** The same each time: whoever gets it twice knows it by this. */
  readonly id: string
  readonly url: string
  readonly secret: string | undefined
  readonly body: object
  /** All tries together. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Before the second try; it doubles with each. */
  readonly retryMs?: number
}

const mostTries = 5

interface Try {
  readonly answer: HookAnswer
  /** Somebody who is there has said no. */
  readonly isFinal: boolean
}

/**
 * Posts to a hook's URL until it answers with 2xx, or with what will not change, or its time is over. Redirects are not followed: where
 * it leads is what has been allowed. Throws only where its signal is aborted.
 */
export async function callHook(call: HookCall): Promise<HookAnswer> {
  const { timeoutMs, retryMs = 1000, signal } = call
  const over = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, over])
  let last: HookAnswer | undefined
  for (let tries = 1; ; tries++) {
    const { answer, isFinal } = await tryOnce(call, either, tries)
    signal.throwIfAborted()
    // What it said before its time was over says more than that it was.
    last = over.aborted && last !== undefined ? last : answer
    if (isFinal || over.aborted || tries >= mostTries)
      return tries === 1 || last.ok ? last : { ...last, message: `${last.message}, tried ${tries} times` }
    await delay(retryMs * 2 ** (tries - 1), undefined, { signal: either }).catch(() => undefined)
    signal.throwIfAborted()
    if (over.aborted) return { ...last, message: `${last.message}, tried ${tries} times` }
  }
}

async function tryOnce(
  { id, url, secret, body, timeoutMs }: HookCall,
  signal: AbortSignal,
  tries: number,
): Promise<Try> {
  const text = JSON.stringify(body)
  const at = Math.floor(Date.now() / 1000)
  try {
    const response = await fetch(url, {
      ...{ method: 'POST', body: text, signal, redirect: 'manual' },
      headers: {
        ...{ 'content-type': 'application/json', 'user-agent': 'berth', 'berth-hook': id, 'berth-try': String(tries) },
        ...(secret === undefined ? {} : { 'berth-signature': `t=${at},sha256=${signatureOf(secret, at, text)}` }),
      },
    })
    const output = await readSome(response)
    const { ok, status } = response
    const message =
      status >= 300 && status < 400 ? `it answered with ${status}, which is not followed` : `it answered with ${status}`
    const isFinal = ok || (status < 500 && status !== 429 && status !== 408)
    return { answer: { ok, message, ...(output === '' ? {} : { output }) }, isFinal }
  } catch (error) {
    const message = signal.aborted ? `it has not answered within ${formatDuration(timeoutMs)}` : failureText(error)
    return { answer: { ok: false, message }, isFinal: false }
  }
}

/** The first of what it says; whatever comes of the rest, it has answered. Control characters would reach people's terminals. */
async function readSome(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of response.body ?? []) {
      parts.push(part)
      size += part.length
      if (size >= mostHookOutput * 4) break
    }
  } catch {}
  const text = Buffer.concat(parts).toString('utf8').slice(0, mostHookOutput)
  return text.replace(/[^\P{Cc}\n\t]/gu, '\uFFFD').trim()
}
