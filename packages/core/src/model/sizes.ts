/**
 * CPU (thousandths of a core of the reference machine) and memory that an instance asks for (absent: it asks for none), and the limits of its
 * network (absent: there is none).
 */
export interface Sizes {
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly inBitsPerSecond?: number
  readonly outBitsPerSecond?: number
}

/** What `resize` set, and what the yaml said then (null: nothing): it survives deploys unless that has changed since. */
export interface SetSize {
  readonly value: number
  readonly written: number | null
}

/** Of an entrypoint in a pool; what is absent is as its release says. */
export type SetSizes = { readonly [K in keyof Sizes]?: SetSize }

/** By entrypoint. */
export type PoolSizes = Readonly<Record<string, SetSizes>>
