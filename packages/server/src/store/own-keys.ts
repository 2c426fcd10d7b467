/** Keys that say something about the store itself. They hold no records, and are copied nowhere. */
export const ownKeys = '/store/'
/** `{follows}`: epochs of the stores whose records were moved into this one. */
export const lineageKey = `${ownKeys}lineage`
/** There while a store is being filled. */
export const fillingKey = `${ownKeys}filling`
