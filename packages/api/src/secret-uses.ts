import type { SecretView } from './access-resources.ts'
import type { ReleaseView } from './app-resources.ts'

type Entrypoints = Readonly<Record<string, { readonly secrets?: readonly { readonly name: string }[] }>>

type SecretName = Pick<SecretView, 'name' | 'environment'>

/** Deploys and restarts of the pool are refused without the secret. */
export interface SecretUse {
  readonly pool: string
  /** It runs there and names the secret. */
  readonly release: string
  readonly entrypoints: readonly string[]
}

/** Which running releases would miss the secret. Of `all` another may be there in its place. */
export function secretUses(
  releases: readonly ReleaseView[],
  secret: SecretName,
  all: readonly SecretName[],
): readonly SecretUse[] {
  const { name: wanted, environment } = secret
  const isLeft = (pool: string): boolean =>
    all.some(
      (each) =>
        each.name === wanted && each.environment !== environment && [pool, undefined].includes(each.environment),
    )
  return releases.flatMap(({ id, spec, runningIn }) => {
    const { entrypoints = {} } = spec as { readonly entrypoints?: Entrypoints }
    const users = Object.entries(entrypoints).flatMap(([entrypoint, { secrets }]) =>
      secrets?.some(({ name }) => name === wanted) ? [entrypoint] : [],
    )
    if (users.length === 0) return []
    const pools = runningIn.filter((pool) => (environment ?? pool) === pool && !isLeft(pool))
    return pools.map((pool) => ({ pool, release: id, entrypoints: users }))
  })
}
