import { formatBytes } from '../spec/quantities.ts'

/** How many images a node takes (copies and pulls) and gives to others at once, and how fast. What is absent is the group's, or a default. */
export interface ImageLimits {
  readonly takes?: number
  readonly gives?: number
  /** Of all its copies together, both ways. Absent: as fast as they go. */
  readonly bytesPerSecond?: number
}

/** With two at once the disk of most machines is busy. */
export const defaultImageLimits = { takes: 2, gives: 2 } as const

type Said<T> = { readonly [K in keyof T]?: T[K] | undefined }

export type ImageRules = ImageLimits & Required<Pick<ImageLimits, 'takes' | 'gives'>>

/** The node's own go before its group's, one by one. */
export const imageRules = (group: Said<ImageLimits> | undefined, node: Said<ImageLimits> | undefined): ImageRules => ({
  ...defaultImageLimits,
  ...withoutUndefined(group ?? {}),
  ...withoutUndefined(node ?? {}),
})

/** null takes one back; absent leaves it. */
export type ImageLimitsChange = { readonly [K in keyof ImageLimits]?: ImageLimits[K] | null | undefined }

/** undefined: none is left. */
export function changedImageLimits(
  before: ImageLimits | undefined,
  change: ImageLimitsChange,
): ImageLimits | undefined {
  const merged = Object.entries({ ...before, ...withoutUndefined(change) }).filter(([, value]) => value !== null)
  return merged.length === 0 ? undefined : Object.fromEntries(merged)
}

const withoutUndefined = (part: object): object =>
  Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined))

/** `takes 4, gives 2, 50Mi a second` */
export const imageLimitsText = ({ takes, gives, bytesPerSecond }: Said<ImageLimits>): string =>
  [
    ...(takes === undefined ? [] : [`takes ${takes}`]),
    ...(gives === undefined ? [] : [`gives ${gives}`]),
    ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)} a second`]),
  ].join(', ') || 'as usual'
