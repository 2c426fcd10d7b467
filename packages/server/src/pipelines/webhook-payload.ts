import type { IncomingHttpHeaders } from 'node:http'
import type { Forge } from './webhook-signature.ts'

/** What a delivery says, as far as it is of any use: nothing of it is believed, it only says where to look. */
export type Delivery =
  /** `ref`: `refs/heads/main`; absent where the payload does not say. */
  { readonly type: 'push'; readonly ref?: string } | { readonly type: 'ignored'; readonly why: string }

const eventHeaders: Readonly<Record<Forge, string>> = {
  github: 'x-github-event',
  gitlab: 'x-gitlab-event',
  gitea: 'x-gitea-event',
}

/** Events after which a branch or a tag may lead elsewhere. */
const pushes: Readonly<Record<Forge, readonly string[]>> = {
  github: ['push', 'create'],
  gitlab: ['Push Hook', 'Tag Push Hook'],
  gitea: ['push', 'create'],
}

export function readDelivery(forge: Forge, headers: IncomingHttpHeaders, body: Buffer): Delivery {
  const event = String(headers[eventHeaders[forge]] ?? '').slice(0, 60)
  if (!pushes[forge].includes(event)) return { type: 'ignored', why: `nothing is done for ${event || 'this'}` }
  const payload = parse(headers['content-type'] ?? '', body)
  if (payload === undefined) return { type: 'push' }
  if (payload.deleted === true || /^0{40,64}$/.test(String(payload.after ?? '')))
    return { type: 'ignored', why: 'a branch or tag went' }
  const ref = refOf(payload)
  return ref === undefined ? { type: 'push' } : { type: 'push', ref }
}

/** A `create` names the branch without `refs/heads/`, and says beside it what it is. */
function refOf({ ref, ref_type: kind }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof ref !== 'string' || ref.length > 300) return undefined
  if (/^refs\/(heads|tags)\//.test(ref)) return ref
  if (kind === 'branch') return `refs/heads/${ref}`
  return kind === 'tag' ? `refs/tags/${ref}` : undefined
}

/** GitHub can send a form with the document in it. One that cannot be read is a push all the same. */
function parse(type: string, body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = body.toString('utf8')
    const isForm = type.startsWith('application/x-www-form-urlencoded')
    const document: unknown = JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text)
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
