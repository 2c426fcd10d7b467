import { BerthError, type Role } from '@berth/core'

/** Who calls. `actor` is what records and events keep: `local:0`, `token:ci`. */
export interface Identity {
  readonly actor: string
  readonly role: Role
  /** Another server of this cluster, which passes on what its caller asked. */
  readonly relayedBy?: string
}

const rank: Readonly<Record<Role, number>> = { viewer: 1, deployer: 2, admin: 3 }

export const mayActAs = (identity: Identity, role: Role): boolean => rank[identity.role] >= rank[role]

/** `what` is what was to be done, in words: `remove a freeze`. Throws `auth.forbidden`. */
export function requireRole(identity: Identity, role: Role, what: string): void {
  if (mayActAs(identity, role)) return
  throw new BerthError(
    'auth.forbidden',
    `${what}: that needs the role ${role}, and ${identity.actor} has the role ${identity.role}; an admin makes a token that may: berth token create NAME --role ${role}`,
    { details: { role: identity.role, needed: role } },
  )
}
