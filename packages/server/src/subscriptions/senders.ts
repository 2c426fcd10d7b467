import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { BerthError, type BerthEvent, messageOf, subscriptionTarget } from '@berth/core'
import type { SubscriptionRecord } from '../records/index.ts'

/** An event with where it stands in the store's history. */
export interface ToldEvent extends BerthEvent {
  readonly revision: number
}

export interface Delivery {
  readonly subscription: SubscriptionRecord
  readonly secret: string | undefined
  /** All events up to it had been told before these. */
  readonly after: number
  readonly events: readonly ToldEvent[]
  readonly signal: AbortSignal
}

const timeoutMs = 10_000

/** Throws where it was not taken; then it is sent again, so that it may come twice and never not at all. Without events it only finds out whether it would be. */
export async function deliver(delivery: Delivery): Promise<void> {
  const target = subscriptionTarget(delivery.subscription.url)
  const signal = AbortSignal.any([delivery.signal, AbortSignal.timeout(timeoutMs)])
  if (target?.kind === 'webhook') return await post(target.url, delivery, signal)
  if (target?.kind === 'redis') return await publish(target, delivery, signal)
  throw new BerthError('subscription.undeliverable', `${delivery.subscription.url} leads nowhere`)
}

async function post(
  url: string,
  { subscription, secret, after, events }: Delivery,
  signal: AbortSignal,
): Promise<void> {
  const last = events.at(-1)?.revision ?? after
  const body = JSON.stringify({ subscription: subscription.name, after, revision: last, events })
  const at = Math.floor(Date.now() / 1000)
  const answer = await fetch(url, {
    ...{ method: 'POST', body, signal, redirect: 'manual' },
    headers: {
      ...{ 'content-type': 'application/json', 'user-agent': 'berth', 'berth-revision': String(last) },
      ...(secret === undefined ? {} : { 'berth-signature': `t=${at},sha256=${signatureOf(secret, at, body)}` }),
    },
  })
  await answer.body?.cancel()
  if (!answer.ok) throw new BerthError('subscription.undeliverable', `it answered with ${answer.status}`)
}

/** Of the time in seconds, a dot and the body, so that a delivery cannot be sent again later by somebody who saw it. */
export const signatureOf = (secret: string, at: number, body: string): string =>
  createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')

interface RedisTarget {
  readonly host: string
  readonly port: number
  readonly channel: string
}

/** One message an event; `after` is the revision of the one before it. */
async function publish(
  { host, port, channel }: RedisTarget,
  { secret, after, events }: Delivery,
  signal: AbortSignal,
): Promise<void> {
  const socket = connect({ host, port, signal })
  try {
    await once(socket, 'connect', { signal })
    const commands = secret === undefined ? [] : [['AUTH', secret]]
    if (events.length === 0) commands.push(['PING'])
    let before = after
    for (const event of events) {
      commands.push(['PUBLISH', channel, JSON.stringify({ ...event, after: before })])
      before = event.revision
    }
    socket.write(commands.map(encodeCommand).join(''))
    await readReplies(socket, commands.length, signal)
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/** As Redis's protocol writes a command: a list of texts, each with its length in bytes. */
const encodeCommand = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

/** A line each: a number, `+OK`, or what it refuses. */
async function readReplies(socket: Socket, count: number, signal: AbortSignal): Promise<void> {
  let text = ''
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    const lines = text.split('\r\n').slice(0, -1)
    const refused = lines.find((line) => line.startsWith('-'))
    if (refused !== undefined)
      reject(new BerthError('subscription.undeliverable', `Redis says: ${refused.slice(1, 200)}`))
    else if (lines.length >= count) resolve()
  })
  socket.once('error', reject)
  socket.once('close', () => reject(new BerthError('subscription.undeliverable', 'Redis closed the connection')))
  signal.addEventListener(
    'abort',
    () => reject(new BerthError('subscription.undeliverable', messageOf(signal.reason))),
    { once: true },
  )
  await promise
}
