import type { Transport } from './client.ts'

type Fetch = typeof globalThis.fetch

/** Sends by `fetch`. In a browser, leave `baseUrl` empty and the session cookie does the rest. */
export function fetchTransport(options: { baseUrl?: string; token?: string; fetch?: Fetch } = {}): Transport {
  const send = options.fetch ?? globalThis.fetch
  return async ({ method, path, headers, body, signal }) => {
    const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
    const init: RequestInit = { method, headers: { ...headers, ...authorization } }
    if (signal !== undefined) init.signal = signal
    if (body !== undefined) init.body = typeof body === 'string' ? body : await collect(body)
    const response = await send(`${options.baseUrl ?? ''}${path}`, init)
    return {
      status: response.status,
      body: chunksOf(response.body),
      header: (name) => response.headers.get(name) ?? undefined,
    }
  }
}

/** Browsers cannot stream a request's body everywhere, and what is uploaded this way is small. */
async function collect(body: AsyncIterable<Uint8Array>): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = []
  for await (const chunk of body) parts.push(new Uint8Array(chunk))
  return new Blob(parts)
}

/** Safari has no async iteration over a stream. */
async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return
  const reader = body.getReader()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
