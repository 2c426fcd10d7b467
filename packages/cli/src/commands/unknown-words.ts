import type { ProfileView } from '@berth/api'
import { closest } from '@berth/core'
import type { CommandContext } from '../command-context.ts'

/**
 * Sites are labels of nodes, and tags are words of rules: nobody declares either, and a machine or a profile may come later. So one that nothing bears
 * is not refused; that it is mistyped is said.
 */
type Asking = Pick<CommandContext, 'client' | 'out' | 'signal'>

export async function warnOfSites({ client, out, signal }: Asking, sites: readonly string[]): Promise<void> {
  if (sites.length === 0) return
  const { items } = await client.list('listNodes', {}, { signal })
  say(out, unknownSites(sites, new Set(items.flatMap(({ labels }) => labels.site ?? []))))
}

export async function warnOfTags({ client, out, signal }: Asking, tags: readonly string[]): Promise<void> {
  if (tags.length === 0) return
  const { items } = await client.list('listProfiles', { query: {} }, { signal })
  say(out, unusedTags(tags, items))
}

export function unknownSites(sites: readonly string[], known: ReadonlySet<string>): string[] {
  const names = [...known].sort()
  return [...new Set(sites)]
    .filter((site) => !known.has(site))
    .map((site) => {
      const near = closest(site, names)
      const hint = names.length === 0 ? 'no node has one' : `sites of nodes are ${names.slice(0, 10).join(', ')}`
      return `no node is of the site ${site} (its label \`site\`); ${near === undefined ? hint : `did you mean ${near}?`}`
    })
}

/** Apps and environments may come later than what is said of them; that one is mistyped is said. */
export async function warnOfPlaces(
  { client, out, signal }: Asking,
  { app, pool }: { readonly app?: string | undefined; readonly pool?: string | undefined },
): Promise<void> {
  if (app === undefined && pool === undefined) return
  const { items } = await client.list('listApps', {}, { signal })
  say(out, unknownPlaces({ app, pool }, new Map(items.map((each) => [each.name, each.pools.map(({ name }) => name)]))))
}

/** `pools`: by app. */
export function unknownPlaces(
  { app, pool }: { readonly app?: string | undefined; readonly pool?: string | undefined },
  pools: ReadonlyMap<string, readonly string[]>,
): string[] {
  const hint = (word: string, known: readonly string[]): string => {
    const near = closest(word, known)
    return near === undefined ? `there are ${known.join(', ') || 'none'}` : `did you mean ${near}?`
  }
  if (app !== undefined && !pools.has(app)) return [`no app is named ${app}; ${hint(app, [...pools.keys()].sort())}`]
  const known = [...new Set(app === undefined ? [...pools.values()].flat() : pools.get(app))].sort()
  if (pool === undefined || known.includes(pool)) return []
  return [`no environment${app === undefined ? '' : ` of ${app}`} is named ${pool}; ${hint(pool, known)}`]
}

/** Tags that no rule speaks of. */
export function unusedTags(
  tags: readonly string[],
  profiles: readonly Pick<ProfileView, 'name' | 'document'>[],
): string[] {
  const named = new Set(
    profiles.flatMap(({ document }) =>
      [...document.inbound_rules, ...document.outbound_rules].flatMap(({ src_tag, dst_tag }) => [src_tag, dst_tag]),
    ),
  )
  const names = [...named].filter((each) => each !== undefined).sort()
  return [...new Set(tags)]
    .filter((tag) => !named.has(tag))
    .map((tag) => {
      const near = closest(tag, names)
      return `no rule of a security profile names the tag ${tag}${near === undefined ? '' : `; did you mean ${near}?`}`
    })
}

function say(out: CommandContext['out'], sentences: readonly string[]): void {
  for (const each of sentences) out.note(`warning: ${each}`)
}
