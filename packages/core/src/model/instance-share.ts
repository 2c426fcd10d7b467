/** A number of instances, or a share of the wanted count. */
export type InstanceShare = number | { readonly percent: number }
