import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { imageView } from '../node-resources.ts'
import { none } from './shared.ts'

const images = z.object({
  items: z.array(imageView),
  /** Nodes that could not be asked, with why. */
  unreachable: z.array(z.object({ node: z.string(), message: z.string() })),
})

/** What builds have left on nodes. */
export const imagesEndpoints = {
  listImages: defineEndpoint({
    method: 'GET',
    path: '/v1/images',
    summary: 'Images of apps and levels on the nodes, and what they are needed for',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({ node: z.string().optional() }),
    body: none,
    response: images,
  }),
  pruneImages: defineEndpoint({
    method: 'POST',
    path: '/v1/images/prune',
    summary: 'Remove images that nothing needs now instead of later; answers what went',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ node: z.string().optional() }),
    response: images,
  }),
} as const
