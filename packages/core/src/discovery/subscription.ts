import { unknownEvents } from '../model/event-types.ts'
import { isName, nameRule } from '../model/names.ts'

/** Somebody elsewhere who is told of events: a URL that they are posted to, or a channel of Redis. Key `/subscriptions/<name>`. */
export interface Subscription {
  readonly name: string
  /** `https://…`, or `redis://host:port/channel`. */
  readonly url: string
  /** `*`, `rollout.*`, `instance.ready`: the types of events that are told. */
  readonly events: readonly string[]
  /** Only events about this app. Absent: about anything. */
  readonly app?: string
}

/** How far somebody has been told. Key `/subscription-positions/<name>`. */
export interface SubscriptionPosition {
  readonly name: string
  /** All events up to this revision of the store have been told. */
  readonly revision: number
  readonly deliveredAt?: number
  /** In a row. Absent: none. */
  readonly failures?: number
  readonly failingSince?: number
  readonly problem?: string
}

export interface SubscriptionDocument {
  readonly url: string
  readonly events?: readonly string[] | undefined
  readonly app?: string | undefined
}

const maxPatterns = 32
const pattern = /^(\*|[a-z][a-z0-9-]*\.(\*|[a-z][a-z0-9-]*))$/

/** Whoever leaves out the kind is told of the area. */
const patternProblem = (text: string): string =>
  (/^[a-z][a-z0-9-]*$/i.test(text) ? unknownEvents(text.toLowerCase()) : undefined) ??
  `${JSON.stringify(text.slice(0, 80))} is none; write *, rollout.* or instance.ready; berth events --types lists them`

/** In its canonical form, or every mistake. */
export function readSubscription(
  name: string,
  { url, events = ['*'], app }: SubscriptionDocument,
): { readonly subscription: Subscription } | { readonly problems: readonly string[] } {
  const problems: string[] = []
  if (!isName(name)) problems.push(`${JSON.stringify(name.slice(0, 80))} cannot name a subscription: use ${nameRule}`)
  const target = subscriptionTarget(url)
  if (target === undefined)
    problems.push(`${JSON.stringify(url.slice(0, 200))} is neither http(s)://… nor redis://HOST:PORT/CHANNEL`)
  if (/^[a-z]+:\/\/[^/]*@/i.test(url)) problems.push('the URL holds a password: give it as the secret instead')
  if (url.length > 2_000) problems.push('the URL is longer than 2,000 characters')
  if (events.length === 0 || events.length > maxPatterns)
    problems.push(`events: 1 to ${maxPatterns} kinds are expected`)
  for (const each of events) {
    const problem = pattern.test(each) ? unknownEvents(each) : patternProblem(each)
    if (problem !== undefined) problems.push(`events: ${problem}`)
  }
  if (app !== undefined && !isName(app)) problems.push(`app: ${JSON.stringify(app.slice(0, 80))} is no name of an app`)
  if (problems.length > 0) return { problems }
  return { subscription: { name, url, events: [...new Set(events)].sort(), ...(app === undefined ? {} : { app }) } }
}

export type SubscriptionTarget =
  | { readonly kind: 'webhook'; readonly url: string }
  | { readonly kind: 'redis'; readonly host: string; readonly port: number; readonly channel: string }

/** undefined: it is none. */
export function subscriptionTarget(url: string): SubscriptionTarget | undefined {
  if (/^https?:\/\/[^\s/?#]+([/?#]\S*)?$/i.test(url)) return { kind: 'webhook', url }
  const redis = /^redis:\/\/(?:\[([0-9a-f:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?\/([^\s/?#]{1,200})$/i.exec(url)
  const port = Number(redis?.[3] ?? 6379)
  if (redis === null || port < 1 || port > 65_535) return undefined
  return { kind: 'redis', host: redis[1] ?? redis[2] ?? '', port, channel: redis[4] ?? '' }
}

/** Somebody who has subscribed so is told of it. */
export function isSubscribed(
  { events, app }: Pick<Subscription, 'events' | 'app'>,
  event: { readonly type: string; readonly subject: { readonly app?: string } },
): boolean {
  if (app !== undefined && event.subject.app !== app) return false
  const [area = ''] = event.type.split('.')
  return events.some((each) => each === '*' || each === event.type || each === `${area}.*`)
}

const firstMs = 1_000
const maxMs = 60_000

/** Until the next try, after so many failures in a row: twice as long each time, a minute at most, a fifth more or less. `random` is from 0 up to 1. */
export const retryDelayMs = (failures: number, random: number): number =>
  Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 10)) * (0.8 + 0.4 * random)

/** So long in vain, and it is a problem of the cluster's. */
export const deadAfterMs = 60_000
