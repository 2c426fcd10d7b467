/** An image that a node has under one of Berth's names. */
export interface NodeImage {
  /** `berth/app-shop:1f0c…-b-7x`, `berth/level-node:9a3b…` */
  readonly reference: string
  readonly id: string
  readonly createdAt: number
  /** With the layers that it shares with others. */
  readonly sizeBytes: number
  /** A container is made of it, running or not. */
  readonly used: boolean
}

/** What the images of one node are needed for. */
export interface ImageNeeds {
  /** Ids of the images of all releases. */
  readonly releases: ReadonlySet<string>
  /** Names of the levels that those images, and the newest of each app, stand on. */
  readonly levels: ReadonlySet<string>
  /** Apps with a build that has not ended: it may reuse any image of its app. */
  readonly building: ReadonlySet<string>
  /** Such a build is, or may come to be, on this node: it may stand on any level. */
  readonly buildsHere: boolean
}

/**
 * `used`: by a container; `release`: a release is made of it; `level`: images stand on it, or it is the newest of its name;
 * `building`: a build under way may need it; `new`: too young to judge; `unneeded`: nothing speaks for it.
 */
export type ImageVerdict = 'used' | 'release' | 'level' | 'building' | 'new' | 'unneeded'

export interface JudgedImage extends NodeImage {
  readonly verdict: ImageVerdict
}

const appPattern = /^berth\/app-(.+):[^:/]+$/
const levelPattern = /^berth\/level-(.+):[^:/]+$/

export const appOfImage = (reference: string): string | undefined => appPattern.exec(reference)?.[1]
const levelOfImage = (reference: string): string | undefined => levelPattern.exec(reference)?.[1]

/**
 * What speaks for each image. Only images of apps and levels under Berth's own names are judged; whatever else a node has is nobody's
 * business here.
 */
export function judgeImages(
  images: readonly NodeImage[],
  needs: ImageNeeds,
  { now, youngMs }: { readonly now: number; readonly youngMs: number },
): JudgedImage[] {
  const newest = newestLevels(images)
  const judge = (image: NodeImage): ImageVerdict | undefined => {
    const { reference, id, used, createdAt } = image
    const app = appOfImage(reference)
    if (app === undefined && levelOfImage(reference) === undefined) return undefined
    if (used) return 'used'
    if (needs.releases.has(id)) return 'release'
    if (needs.levels.has(reference) || newest.has(reference)) return 'level'
    if (app === undefined ? needs.buildsHere : needs.building.has(app)) return 'building'
    return now - createdAt < youngMs ? 'new' : 'unneeded'
  }
  return images.flatMap((image) => {
    const verdict = judge(image)
    return verdict === undefined ? [] : [{ ...image, verdict }]
  })
}

function newestLevels(images: readonly NodeImage[]): ReadonlySet<string> {
  const newest = new Map<string, NodeImage>()
  for (const image of images) {
    const level = levelOfImage(image.reference)
    if (level === undefined) continue
    const known = newest.get(level)
    if (known === undefined || known.createdAt < image.createdAt) newest.set(level, image)
  }
  return new Set([...newest.values()].map((image) => image.reference))
}
