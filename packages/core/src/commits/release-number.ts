/** 7 of `v7`. */
export const releaseNumberOf = (release: string): number => Number(release.slice(1))
