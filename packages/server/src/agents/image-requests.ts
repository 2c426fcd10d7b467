import { BerthError, type NodeImage } from '@berth/core'
import { z } from 'zod'
import type { AgentLink } from './agent-link.ts'
import { requestDocument, type SignalOptions } from './agent-requests.ts'

/** Images of apps and levels under Berth's names. */
export async function listImages(link: AgentLink, options: SignalOptions): Promise<readonly NodeImage[]> {
  const answer = await requestDocument<unknown>(link, { method: 'GET', path: '/v1/images', ...options })
  const parsed = imageList.safeParse(answer)
  if (parsed.success) return parsed.data.items
  throw new BerthError('agent.invalid-line', `read the images of node ${link.node}: ${parsed.error.issues[0]?.message}`)
}

/** Throws `engine.rejected` while a container is made of it. */
export const removeImage = async (link: AgentLink, reference: string, options: SignalOptions): Promise<void> => {
  await requestDocument(link, { method: 'DELETE', path: `/v1/images/${encodeURIComponent(reference)}`, ...options })
}

const imageList = z.object({
  items: z
    .array(
      z.object({
        reference: z.string().max(500),
        id: z.string().max(200),
        createdAt: z.number(),
        sizeBytes: z.number().nonnegative(),
        used: z.boolean(),
      }),
    )
    .max(100_000),
})
