import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BerthError } from '@berth/core'

export interface FormPost {
  readonly url: URL
  readonly form: Readonly<Record<string, string>>
  /** The value of the header `authorization`. */
  readonly authorization?: string | undefined
  /** PEM: who has signed the certificate of the other side; without it those that the machine trusts. */
  readonly ca?: string | undefined
  readonly maxBytes: number
  readonly signal: AbortSignal
}

export interface FormAnswer {
  readonly status: number
  readonly text: string
}

/** Redirects are not followed. Throws where there is no answer, or one that is too large. */
export async function postForm({ url, form, authorization, ca, maxBytes, signal }: FormPost): Promise<FormAnswer> {
  const body = new URLSearchParams(form).toString()
  const headers = {
    ...{ 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) },
    ...{ accept: 'application/json', 'user-agent': 'berth' },
    ...(authorization === undefined ? {} : { authorization }),
  }
  const options = { method: 'POST', headers, signal, agent: false as const }
  const request =
    url.protocol === 'https:'
      ? requestHttps(url, { ...options, ...(ca === undefined ? {} : { ca }) })
      : requestHttp(url, options)
  request.end(body)
  const [response] = (await once(request, 'response', { signal })) as [IncomingMessage]
  try {
    const { statusCode: status = 0 } = response
    if (status >= 300 && status < 400)
      throw new BerthError('prometheus.no-answer', `it answered ${status}, which is not followed`)
    return { status, text: await readBounded(response, maxBytes) }
  } finally {
    request.on('error', () => undefined)
    request.destroy()
  }
}

async function readBounded(response: IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > maxBytes) throw new BerthError('prometheus.no-answer', `the answer is larger than ${maxBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
