import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'

export interface Delivery {
  /** `https://10.0.0.1:7600/hooks/shop` */
  readonly url: string
  readonly secret: string
  readonly ref: string
}

/** Delivers a push as GitHub does. */
export async function deliverPush({ url, secret, ref }: Delivery): Promise<{ status: number; builds: string[] }> {
  const body = JSON.stringify({ ref, repository: { full_name: 'team/shop' }, commits: [] })
  const call = request(url, {
    method: 'POST',
    // The certificate is the cluster's own.
    rejectUnauthorized: false,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'GitHub-Hookshot/test',
      'x-github-event': 'push',
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
  })
  call.end(body)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode ?? 0, builds: (JSON.parse(text) as { builds?: string[] }).builds ?? [] }
}
