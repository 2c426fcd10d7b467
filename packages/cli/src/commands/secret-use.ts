import type { ReleaseView, SecretView } from '@berth/api'

type Entrypoints = Readonly<Record<string, { readonly secrets?: readonly { readonly name: string }[] }>>

type SecretName = Pick<SecretView, 'name' | 'environment'>

/** Which running releases would miss the secret: `production runs v7, which names it (web, worker)`. Of `all` another may be there in its place. */
export function secretUses(releases: readonly ReleaseView[], secret: SecretName, all: readonly SecretName[]): string[] {
  const { name: wanted, environment } = secret
  const isLeft = (pool: string): boolean =>
    all.some(
      (each) =>
        each.name === wanted && each.environment !== environment && [pool, undefined].includes(each.environment),
    )
  return releases.flatMap(({ id, spec, runningIn }) => {
    const { entrypoints = {} } = spec as { readonly entrypoints?: Entrypoints }
    const users = Object.entries(entrypoints).filter(([, each]) => each.secrets?.some(({ name }) => name === wanted))
    if (users.length === 0) return []
    const pools = runningIn.filter((pool) => (environment ?? pool) === pool && !isLeft(pool))
    return pools.map((pool) => `${pool} runs ${id}, which names it (${users.map(([name]) => name).join(', ')})`)
  })
}
