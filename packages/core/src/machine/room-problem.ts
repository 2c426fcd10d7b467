const mebibyte = 1024 ** 2
/** Told in steps, so that the sentence is not another one with every write. */
const stepsMiB = [8, 64, 256]

/** What is to be told of a folder for which so little is free that it may soon take no more; undefined: there is enough. */
export function roomProblem(directory: string, freeBytes: number): string | undefined {
  const step = stepsMiB.find((each) => freeBytes < each * mebibyte)
  return step === undefined ? undefined : `less than ${step} MiB are free below ${directory}: make room there`
}

/** Whether a failure of the system means that a disk, or a share of it, is full. */
export const isDiskFull = (error: unknown): boolean => {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  return code === 'ENOSPC' || code === 'EDQUOT'
}
