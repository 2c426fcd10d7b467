/** A process of a host that `berth up` keeps running, or Docker's. */
export const hostParts = ['server', 'agent', 'netd', 'supervisor', 'dockerd'] as const
export type HostPart = (typeof hostParts)[number]
