/** Names are in lower case and without the root's dot, as `web.shop.berth`. */
export interface NameQuestion {
  readonly name: string
  readonly type: NameQuestionType
}

/** Types that have no answer here are all `other`. */
export type NameQuestionType = 'A' | 'AAAA' | 'SRV' | 'PTR' | 'other'

/** `zone`: whose name it is, where that is not the cluster's domain. */
export type NameAnswer =
  /** At least one, of the version that was asked for. `near`: so many, which come first, are of the asker's site, and the others are not. Absent: all are as near. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly near?: number }
  | { readonly kind: 'services'; readonly services: readonly ServiceTarget[] }
  /** Another's name: what that has of the type is the answer. */
  | { readonly kind: 'alias'; readonly target: string }
  | { readonly kind: 'pointer'; readonly name: string }
  /** The name exists, but has nothing of this type; also when no instance of it is ready. */
  | { readonly kind: 'empty'; readonly zone?: string }
  | { readonly kind: 'unknown'; readonly zone?: string }
  /** Not a name of Berth's: somebody else's to answer. */
  | { readonly kind: 'elsewhere' }

export interface ServiceTarget {
  /** `web-1.production.shop.berth` */
  readonly name: string
  /** Of that name, of both versions; none where it is another's. */
  readonly addresses: readonly string[]
  readonly port: number
  /** There are others, of the asker's site. */
  readonly isFar?: true
}
