/** Groups of controllers that must not act twice. `docs/design/many-servers.md` says what is in each. */
export const roles = ['cluster', 'builds', 'clock', 'upkeep'] as const

export type Role = (typeof roles)[number]
