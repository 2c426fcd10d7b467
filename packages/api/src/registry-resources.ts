import { z } from 'zod'

/** Resources of image registries; see `index.ts`. */
const time = z.number().int()

/** A login at an image registry; its password is never shown. */
export const registryView = z.object({
  host: z.string(),
  username: z.string(),
  version: z.number().int(),
  updatedAt: time,
  updatedBy: z.string(),
})

/** A collection of the registry's garbage. */
export const registryCollectionView = z.object({
  at: time,
  tookMs: z.number().int(),
  removed: z.number().int(),
  freedBytes: z.number(),
})

/** The cluster's own registry; an object without `node` where there is none. */
export const clusterRegistryView = z.object({
  node: z.string().optional(),
  /** `10.0.0.5:5000`, as Docker calls it. */
  host: z.string().optional(),
  since: time.optional(),
  by: z.string().optional(),
  running: z.boolean(),
  problem: z.string().optional(),
  /** Of releases: those that it has, and those that it does not. */
  images: z.number().int(),
  missing: z.number().int(),
  sizeBytes: z.number().optional(),
  freeBytes: z.number().optional(),
  certificateExpiresAt: time.optional(),
  collected: registryCollectionView.optional(),
})

/** An image of an app in the cluster's own registry. */
export const registryImageView = z.object({
  /** Its id, `sha256:…`. */
  image: z.string(),
  pushedAt: time,
  commit: z.string().optional(),
  builtAt: time.optional(),
  /** Of its layers, packed. */
  bytes: z.number().optional(),
  /** Made of it: `v7`; none where these went. */
  releases: z.array(z.string()),
})

/** Of an app's image in the registry that it comes from, a page. */
export const externalImagesView = z.object({
  host: z.string(),
  /** `team/app` */
  repository: z.string(),
  items: z.array(
    z.object({
      tag: z.string(),
      /** Of its manifest, `sha256:…`; absent: the registry does not say. */
      digest: z.string().optional(),
      /** That name this tag, or this digest. */
      releases: z.array(z.string()),
    }),
  ),
  /** To be asked for the next page with, as `last`; absent: there is none. */
  next: z.string().optional(),
})

export type ExternalImagesView = z.infer<typeof externalImagesView>
export type RegistryImageView = z.infer<typeof registryImageView>
export type RegistryView = z.infer<typeof registryView>
export type RegistryCollectionView = z.infer<typeof registryCollectionView>
export type ClusterRegistryView = z.infer<typeof clusterRegistryView>
