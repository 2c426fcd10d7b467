/** Fewer than half of the nodes that another server hears. */
export const hearsTooFew = (own: number, others: readonly number[]): boolean => own * 2 < Math.max(0, ...others)
