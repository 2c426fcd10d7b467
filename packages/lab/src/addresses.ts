import { BerthError } from '@berth/core'

/** Everything that follows from a lab's index, so that leftovers of a lab can be found from its index alone. */
export interface LabNames {
  readonly index: number
  readonly cgroup: string
  /** The lab's interface in the machine's own network namespace; at most 15 bytes. */
  readonly link: string
  readonly subnet: string
  readonly serverCidr: string
  readonly serverAddress: string
  readonly routerCidr: string
  readonly routerAddress: string
  readonly containerPool: string
}

export const MAX_INDEX = 99
export const CGROUP_TOP = '/berth-lab'

const FIRST_HOST = 11
const LAST_HOST = 250

export const namesOf = (index: number): LabNames => ({
  index,
  cgroup: `${CGROUP_TOP}/${index}`,
  link: `berth-lab${index}`,
  subnet: `10.213.${index}.0/24`,
  serverCidr: `10.213.${index}.1/24`,
  serverAddress: `10.213.${index}.1`,
  routerCidr: `10.213.${index}.254/24`,
  routerAddress: `10.213.${index}.254`,
  containerPool: `10.${100 + index}.0.0/16`,
})

/** The address of the lab's n-th host, counted from 1. */
export const hostAddress = (names: LabNames, ordinal: number): string => {
  const last = FIRST_HOST + ordinal - 1
  if (last > LAST_HOST) {
    throw new BerthError(
      'lab.full',
      `add host ${ordinal} to lab ${names.index}: it has room for ${LAST_HOST - FIRST_HOST + 1}`,
    )
  }
  return `10.213.${names.index}.${last}`
}

const HOST_NAME = /^[a-z][a-z0-9-]{0,11}$/

export const checkHostName = (name: string): string => {
  if (HOST_NAME.test(name)) return name
  throw new BerthError(
    'lab.host-name',
    `host name ${JSON.stringify(name)}: take a letter and then at most 11 of a-z, 0-9 and "-" (it names an interface too)`,
  )
}
