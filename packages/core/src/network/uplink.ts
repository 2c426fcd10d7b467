/** What the guarantees on a node are counted by, among its further resources: bits per second of its uplink, each way. */
export const bandwidthIn = 'bandwidth-in'
export const bandwidthOut = 'bandwidth-out'

export const isBandwidth = (resource: string): boolean => resource === bandwidthIn || resource === bandwidthOut

/** The interface by which a node reaches everybody else. */
export interface Uplink {
  readonly name: string
  /** As its driver says. Absent: it does not say, as on most virtual machines. */
  readonly bitsPerSecond?: number
}

interface NodeOfBandwidth {
  readonly resources?: Readonly<Record<string, number | readonly string[]>>
}

/** A node's further resources with what its uplink carries; what a person has set for it goes before what the driver says. */
export function withUplink(
  { resources = {} }: NodeOfBandwidth,
  uplink: Uplink | undefined,
): Readonly<Record<string, number | readonly string[]>> {
  if (uplink?.bitsPerSecond === undefined) return resources
  return { [bandwidthIn]: uplink.bitsPerSecond, [bandwidthOut]: uplink.bitsPerSecond, ...resources }
}

export interface Guarantees {
  readonly guaranteedInBitsPerSecond?: number
  readonly guaranteedOutBitsPerSecond?: number
}

/** What an instance takes of its node's uplink. */
export const guaranteedResources = (spec: Guarantees): Readonly<Record<string, number>> => ({
  ...(spec.guaranteedInBitsPerSecond === undefined ? {} : { [bandwidthIn]: spec.guaranteedInBitsPerSecond }),
  ...(spec.guaranteedOutBitsPerSecond === undefined ? {} : { [bandwidthOut]: spec.guaranteedOutBitsPerSecond }),
})
