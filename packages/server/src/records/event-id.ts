/**
 * Ids of events sort by time: milliseconds (14 digits), then a counter of this process (so that events of one millisecond keep their
 * order), then a part that differs between processes. Time never goes back within one process.
 */
export function createEventIds(processTag: string): (at: number) => string {
  let last = 0
  let counter = 0
  return (at) => {
    if (at > last) {
      last = at
      counter = 0
    }
    counter += 1
    return `${String(last).padStart(14, '0')}-${String(counter).padStart(5, '0')}-${processTag}`
  }
}
