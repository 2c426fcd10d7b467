import { BerthError, defaultRegistry, messageOf } from '@berth/core'
import type { RegistryLogin } from './registries.ts'

export interface RegistryQuestion {
  readonly host: string
  /** `team/app` */
  readonly repository: string
  readonly login: RegistryLogin | undefined
  readonly signal: AbortSignal
  /** All calls of one question together. */
  readonly timeoutMs?: number
}

export interface TagPage {
  readonly tags: readonly string[]
  /** To be asked for the next page with; absent: there is none. */
  readonly next?: string
}

export interface TaggedImage {
  readonly tag: string
  /** Of its manifest, `sha256:…`; absent: the registry does not say, or the tag has gone meanwhile. */
  readonly digest?: string
}

const defaultTimeoutMs = 20_000
const mostBytes = 1024 * 1024
const pageSize = 50
const atATime = 8

/** What a manifest may be; without these old registries answer with what has another digest. */
const manifests = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/**
 * One page of a repository's tags with their digests, by the registry API, version 2 (https://distribution.github.io/distribution/spec/api/): basic
 * authentication or tokens, redirects are not followed. Throws `registry.unreachable`, `registry.login-needed`, `registry.no-such-repository`,
 * `registry.bad-answer`.
 */
export async function tagsOf(
  question: RegistryQuestion,
  last?: string,
): Promise<{ readonly items: readonly TaggedImage[]; readonly next?: string }> {
  const session = new Session(question)
  const { tags, next } = await session.page(last)
  const items: TaggedImage[] = []
  for (let at = 0; at < tags.length; at += atATime)
    items.push(...(await Promise.all(tags.slice(at, at + atATime).map((tag) => session.image(tag)))))
  return next === undefined ? { items } : { items, next }
}

class Session {
  readonly #question: RegistryQuestion
  readonly #base: string
  readonly #signal: AbortSignal
  readonly #what: string
  #authorization: string | undefined

  constructor(question: RegistryQuestion) {
    this.#question = question
    const { host, repository, signal, timeoutMs = defaultTimeoutMs } = question
    // As Docker has it: on the loopback nobody listens in.
    const scheme = isLoopback(host) ? 'http' : 'https'
    this.#base = `${scheme}://${host === defaultRegistry ? 'registry-1.docker.io' : host}/v2/${repository}`
    this.#signal = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    this.#what = `list images of ${host}/${repository}`
  }

  async page(last: string | undefined): Promise<TagPage> {
    const query = new URLSearchParams({ n: String(pageSize), ...(last === undefined ? {} : { last }) })
    const response = await this.#call(`/tags/list?${query}`, {})
    if (response.status === 404) throw this.#noSuchRepository()
    this.#expectOk(response)
    const { tags } = (await this.#json(response)) as { tags?: unknown }
    if (tags !== null && !Array.isArray(tags)) throw this.#badAnswer('it names no tags')
    const named = ((tags ?? []) as unknown[]).filter((tag): tag is string => typeof tag === 'string' && isTag(tag))
    // Old registries tell all of them each time, whatever is asked for.
    const all = last === undefined ? named : named.slice(named.indexOf(last) + 1)
    const page = all.slice(0, pageSize)
    const next = all.length > pageSize ? page.at(-1) : nextOf(response.headers.get('link'))
    return next === undefined ? { tags: page } : { tags: page, next }
  }

  async image(tag: string): Promise<TaggedImage> {
    const response = await this.#call(`/manifests/${tag}`, { method: 'HEAD', headers: { accept: manifests } })
    const digest = response.ok ? response.headers.get('docker-content-digest') : null
    return digest !== null && /^sha256:[0-9a-f]{64}$/.test(digest) ? { tag, digest } : { tag }
  }

  async #call(path: string, init: { readonly method?: string; readonly headers?: Record<string, string> }) {
    const first = await this.#fetch(`${this.#base}${path}`, init)
    if (first.status !== 401) return this.#allowed(first)
    await first.body?.cancel()
    this.#authorization = await this.#authorize(first.headers.get('www-authenticate') ?? '')
    return this.#allowed(await this.#fetch(`${this.#base}${path}`, init))
  }

  #allowed(response: Response): Response {
    if (response.status === 401 || response.status === 403) throw this.#loginNeeded()
    return response
  }

  /** What the registry wants to see: a login, or a token that another server gives for one. */
  async #authorize(challenge: string): Promise<string> {
    const { login } = this.#question
    const basic = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
    if (/^basic\b/i.test(challenge)) {
      if (basic === undefined) throw this.#loginNeeded()
      return basic
    }
    const realm = /^bearer\b/i.test(challenge) ? parameterOf(challenge, 'realm') : undefined
    if (realm === undefined || !URL.canParse(realm)) throw this.#badAnswer('it does not say how to log in')
    const url = new URL(realm)
    // A password is sent in clear nowhere, and nobody else's word leads to what listens on the loopback.
    const isHere = isLoopback(url.host) && isLoopback(this.#question.host)
    if (url.protocol !== 'https:' && !isHere) throw this.#badAnswer(`its tokens are at ${url.origin}, without TLS`)
    const service = parameterOf(challenge, 'service')
    if (service !== undefined) url.searchParams.set('service', service)
    url.searchParams.set('scope', `repository:${this.#question.repository}:pull`)
    const response = await this.#fetch(
      url.href,
      { headers: basic === undefined ? {} : { authorization: basic } },
      false,
    )
    if (response.status === 401 || response.status === 403) throw this.#loginNeeded()
    this.#expectOk(response)
    const { token, access_token: other } = (await this.#json(response)) as { token?: unknown; access_token?: unknown }
    const given = token ?? other
    if (typeof given !== 'string' || !/^[\x21-\x7e]+$/.test(given)) throw this.#badAnswer('it gives no token')
    return `Bearer ${given}`
  }

  async #fetch(
    url: string,
    { method = 'GET', headers = {} }: { readonly method?: string; readonly headers?: Record<string, string> },
    withAuthorization = true,
  ): Promise<Response> {
    const known = withAuthorization && this.#authorization !== undefined ? { authorization: this.#authorization } : {}
    try {
      return await fetch(url, {
        ...{ method, redirect: 'manual', signal: this.#signal },
        headers: { 'user-agent': 'berth', ...headers, ...known },
      })
    } catch (error) {
      throw this.#unreachable(error)
    }
  }

  #expectOk(response: Response): void {
    if (response.ok) return
    throw this.#badAnswer(`it answers with ${response.status}`)
  }

  async #json(response: Response): Promise<object> {
    let text = ''
    const decoder = new TextDecoder()
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        if (text.length > mostBytes) throw this.#badAnswer(`it answers with more than ${mostBytes} bytes`)
      }
    } catch (error) {
      throw error instanceof BerthError ? error : this.#unreachable(error)
    }
    try {
      const value: unknown = JSON.parse(text)
      if (typeof value === 'object' && value !== null) return value
    } catch {
      // Told below: it is the same whatever it was.
    }
    throw this.#badAnswer('what it answers is no JSON')
  }

  #unreachable(error: unknown): BerthError {
    this.#question.signal.throwIfAborted()
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const why = this.#signal.aborted ? 'it did not answer in time' : messageOf(cause)
    return new BerthError('registry.unreachable', `${this.#what}: ${why}; the server has to reach it, as nodes do`, {
      retryable: true,
      cause: error,
    })
  }

  #loginNeeded(): BerthError {
    const { host, login } = this.#question
    const text =
      login === undefined
        ? `it wants a login: berth registry login ${host} --username NAME`
        : `it does not let ${login.username} read it; log in as somebody who may: berth registry login ${host} --username NAME`
    return new BerthError('registry.login-needed', `${this.#what}: ${text}`)
  }

  #noSuchRepository(): BerthError {
    return new BerthError(
      'registry.no-such-repository',
      `${this.#what}: it has no such repository, or does not show it to whoever asks`,
    )
  }

  #badAnswer(why: string): BerthError {
    return new BerthError('registry.bad-answer', `${this.#what}: ${why}; is it a registry of API version 2?`)
  }
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host)

const isTag = (text: string): boolean => /^\w[\w.-]{0,127}$/.test(text)

/** `</v2/team/app/tags/list?last=v9&n=50>; rel="next"` */
function nextOf(link: string | null): string | undefined {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1]
  const last = target === undefined ? null : new URL(target, 'http://registry').searchParams.get('last')
  return last !== null && isTag(last) ? last : undefined
}

const parameterOf = (challenge: string, name: string): string | undefined =>
  new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(challenge)?.[1]
