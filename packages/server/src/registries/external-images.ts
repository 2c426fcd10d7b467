import type { ExternalImagesView } from '@berth/api'
import { BerthError, defaultRegistry, type Release, registryOf, repositoryOf } from '@berth/core'
import { requireApp } from '../controllers/operations/lookup.ts'
import type { State } from '../records/index.ts'
import type { RegistryLogin } from './registries.ts'
import { tagsOf } from './registry-api.ts'

export interface ExternalImagesOptions {
  readonly state: State
  readonly loginFor: (image: string) => RegistryLogin | undefined
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

/**
 * What there is of an app's image in the registry that it comes from: a page of tags with their digests and releases. Only registries that an admin has
 * logged the cluster in at are asked, and Docker's own: a berth.yaml alone has the server call nobody. Throws `app.not-found`, `registry.no-image`,
 * `registry.login-needed`, and what `tagsOf` throws.
 */
export async function externalImages(
  { state, loginFor, signal, timeoutMs }: ExternalImagesOptions,
  app: string,
  last: string | undefined,
): Promise<ExternalImagesView> {
  requireApp(state, app)
  const releases = state.releases.byApp(app)
  const image = releases
    .toSorted((a, b) => b.createdAt - a.createdAt)
    .map(imageOf)
    .find((each) => each !== undefined)
  if (image === undefined)
    throw new BerthError(
      'registry.no-image',
      `list images of ${app}: none of its releases is of an image of a registry (build: {image: …})`,
    )
  const [host, repository] = [registryOf(image), repositoryOf(image)]
  const login = loginFor(image)
  if (login === undefined && host !== defaultRegistry)
    throw new BerthError(
      'registry.login-needed',
      `list images of ${host}/${repository}: the server asks only registries that it is logged in at: berth registry login ${host} --username NAME`,
    )
  const limit = timeoutMs === undefined ? {} : { timeoutMs }
  const { items, next } = await tagsOf({ host, repository, login, signal, ...limit }, last)
  const isOf = (release: Release, tag: string, digest: string | undefined): boolean => {
    const text = imageOf(release)
    if (text === undefined || registryOf(text) !== host || repositoryOf(text) !== repository) return false
    const [named = '', pinned] = text.split('@')
    return pinned === undefined ? (/:([^/:]*)$/.exec(named)?.[1] ?? 'latest') === tag : pinned === digest
  }
  return {
    ...{ host, repository },
    items: items.map((each) => ({
      ...each,
      releases: releases.filter((release) => isOf(release, each.tag, each.digest)).map(({ id }) => id),
    })),
    ...(next === undefined ? {} : { next }),
  }
}

const imageOf = ({ spec: { build } }: Release): string | undefined => (build.type === 'image' ? build.image : undefined)
