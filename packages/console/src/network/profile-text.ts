import type { ProfileView } from '@berth/api/policy-resources'

/** YAML that is read again as the same profile. */
export function profileText({
  name,
  tags,
  inbound,
  outbound,
}: Pick<ProfileView, 'name' | 'tags' | 'inbound' | 'outbound'>): string {
  const list = (rules: readonly string[]): string =>
    rules.length === 0
      ? ' []'
      : rules.map((rule) => `\n  - ${rule.startsWith('{') ? rule : JSON.stringify(rule)}`).join('')
  return [
    `name: ${JSON.stringify(name)}`,
    `tags: ${JSON.stringify(tags)}`,
    `inbound:${list(inbound)}`,
    `outbound:${list(outbound)}`,
    '',
  ].join('\n')
}

/** What a new one begins with. */
export const newProfileText = `name: db
tags: [db]
inbound:
  - tcp:5432 from db-users
outbound: [allow]
`
