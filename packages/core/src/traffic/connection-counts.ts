/**
 * What an instance has had by one port of a gateway, since the agent or the kernel counts: connections (of UDP: conversations), then packets and bytes of
 * clients, then packets and bytes to them. Bytes are with their headers.
 */
export type ConnectionCounts = readonly number[]

export const connectionCountsLength = 5

export interface ConnectionRow {
  /** The route's id. */
  readonly route: string
  /** `app/environment/entrypoint`. */
  readonly pool: string
  readonly instance: string
  readonly counts: ConnectionCounts
  /** Open now. */
  readonly open: number
}

/** A second. */
export interface ConnectionRate {
  readonly connectionsPerSecond: number
  readonly packetsInPerSecond: number
  readonly bytesInPerSecond: number
  readonly packetsOutPerSecond: number
  readonly bytesOutPerSecond: number
}

export function connectionRate(counts: ConnectionCounts, overMs: number): ConnectionRate {
  const [connections = 0, packetsIn = 0, bytesIn = 0, packetsOut = 0, bytesOut = 0] = counts.map(
    (count) => (count * 1_000) / overMs,
  )
  return {
    connectionsPerSecond: connections,
    ...{ packetsInPerSecond: packetsIn, bytesInPerSecond: bytesIn },
    ...{ packetsOutPerSecond: packetsOut, bytesOutPerSecond: bytesOut },
  }
}
