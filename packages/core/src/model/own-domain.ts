/**
 * A name outside of the cluster's domain that Berth's DNS answers for: by what one of Berth's names means, by addresses, or, with all
 * that is below it, by resolvers of its own. Exactly one of the three is there.
 */
export interface OwnDomain {
  /** `db.corp.example`; `*.shop.corp.example` for all that is below `shop.corp.example` and has no name of its own. */
  readonly name: string
  /** One of Berth's names, without the cluster's domain: `db.production.shop`. */
  readonly target?: string
  /** Those of IPv6 in their one form. */
  readonly addresses?: readonly string[]
  readonly resolvers?: readonly DomainResolver[]
}

export interface DomainResolver {
  readonly address: string
  /** Asked by nodes of this site, and no other is by these. Absent: by nodes whose site has none. */
  readonly site?: string
}
