import { BerthError } from '../model/berth-error.ts'

/** Where an image of an app lies in the cluster's registry. One image has one place: it is named by what it is. */
export interface RegistryPlace {
  /** `berth/app-shop` */
  readonly repository: string
  /** The image's id in hexadecimal. */
  readonly tag: string
}

/** An image that the registry has. */
export interface StoredImage extends RegistryPlace {
  /** When its last push ended. */
  readonly pushedAt: number
  /** These three where somebody asked for one app's: what it was built from, and when. Absent: it does not say. */
  readonly commit?: string
  readonly builtAt?: number
  /** Of its layers, packed, whoever else has them too. */
  readonly bytes?: number
}

interface ReleasedImage {
  readonly app: string
  readonly image: string
}

const idPattern = /^(?:sha256:)?([0-9a-f]{64})$/
const repositoryPattern = /^berth\/app-[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/

/** Undefined for an image that is not known by its id. */
export function registryPlace({ app, image }: ReleasedImage): RegistryPlace | undefined {
  const tag = idPattern.exec(image)?.[1]
  return tag === undefined ? undefined : { repository: `berth/app-${app}`, tag }
}

export const placeText = ({ repository, tag }: RegistryPlace): string => `${repository}:${tag}`

/** What came over the wire, before it becomes a path or a name of Docker's. Throws `request.invalid-request`. */
export function checkPlace(place: Partial<RegistryPlace>): RegistryPlace {
  const { repository = '', tag = '' } = place
  if (repository.length <= 200 && repositoryPattern.test(repository) && /^[0-9a-f]{64}$/.test(tag))
    return { repository, tag }
  throw new BerthError('request.invalid-request', `${repository}:${tag} is no place of an image in the registry`)
}

export interface MissingImage extends RegistryPlace {
  readonly image: string
}

/** Images of releases that the registry does not have, those of the newest releases first. */
export function missingImages(
  releases: readonly (ReleasedImage & { readonly createdAt: number })[],
  stored: ReadonlySet<string>,
): MissingImage[] {
  const newest = releases.toSorted((a, b) => b.createdAt - a.createdAt)
  const missing = new Map<string, MissingImage>()
  for (const release of newest) {
    const place = registryPlace(release)
    if (place === undefined || stored.has(placeText(place))) continue
    missing.set(placeText(place), missing.get(placeText(place)) ?? { ...place, image: release.image })
  }
  return [...missing.values()]
}

/**
 * What a collection takes away: what no release is made of, unless it came so lately that its release may be on its way. With 0 its time
 * is not looked at: the clock of its node may be ahead.
 */
export const unneededImages = (
  stored: readonly StoredImage[],
  needed: ReadonlySet<string>,
  { now, youngMs }: { readonly now: number; readonly youngMs: number },
): StoredImage[] =>
  stored.filter((image) => !needed.has(placeText(image)) && (youngMs === 0 || now - image.pushedAt >= youngMs))

/** Places of the images that releases are made of: of what runs, and of what can be rolled back to. */
export const neededPlaces = (releases: readonly ReleasedImage[]): Set<string> =>
  new Set(
    releases.flatMap((release) => {
      const place = registryPlace(release)
      return place === undefined ? [] : [placeText(place)]
    }),
  )
