import type { Release } from '../model/release.ts'

/** Byte for byte the same to run: image and spec, whatever commit and number they go by. */
export const isSameVersion = (a: Pick<Release, 'image' | 'spec'>, b: Pick<Release, 'image' | 'spec'>): boolean =>
  a.image === b.image && JSON.stringify(a.spec) === JSON.stringify(b.spec)
