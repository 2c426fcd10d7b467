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

/** Throws `auth.forbidden`. */
export function requireRole(identity: Identity, role: Role, what: string): void {
  if (mayActAs(identity, role)) return
  throw new BerthError(
    'auth.forbidden',
    `this needs the role ${role}, and ${identity.actor} is a ${identity.role}: ask an admin for a token of that role (${what})`,
    { details: { role: identity.role, needed: role } },
  )
}
