/** What the kernel's files say, as numbers. A value that is missing is 0: its controller or protocol is not in use. */

/** The number behind `key` in files of `key value` lines (`memory.stat`, `cpu.stat`). */
export function readField(text: string, key: string): number {
  const start = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1
  if (start === 0 && !text.startsWith(`${key} `)) return 0
  const end = text.indexOf('\n', start)
  return Number(text.slice(start + key.length + 1, end < 0 ? undefined : end))
}

export interface ReadAndWritten {
  readonly readBytes: number
  readonly writtenBytes: number
}

/** `blkio.throttle.io_service_bytes`: `8:0 Read 4096`, … and a last line `Total 4096`. */
export function parseBlkio(text: string): ReadAndWritten {
  let readBytes = 0
  let writtenBytes = 0
  for (const line of text.split('\n')) {
    const [, operation, bytes] = line.split(' ')
    if (operation === 'Read') readBytes += Number(bytes)
    else if (operation === 'Write') writtenBytes += Number(bytes)
  }
  return { readBytes, writtenBytes }
}

/** `io.stat`: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`, a line a device. */
export function parseIoStat(text: string): ReadAndWritten {
  let readBytes = 0
  let writtenBytes = 0
  for (const [, key, bytes] of text.matchAll(/ (rbytes|wbytes)=(\d+)/g)) {
    if (key === 'rbytes') readBytes += Number(bytes)
    else writtenBytes += Number(bytes)
  }
  return { readBytes, writtenBytes }
}

/** Where each count stands in a line of `/proc/net/dev`. What was dropped there never came to a queue of a limit. */
const netDevColumns = {
  networkInBytes: 0,
  networkInPackets: 1,
  networkInErrors: 2,
  networkInDrops: 3,
  networkOutBytes: 8,
  networkOutPackets: 9,
  networkOutErrors: 10,
  networkOutDrops: 11,
} as const

export type InterfaceCounts = Readonly<Record<keyof typeof netDevColumns, number>>

/** `/proc/net/dev`: the sum of the interfaces that `counts` accepts. */
export function parseNetDev(text: string, counts: (name: string) => boolean): InterfaceCounts {
  const sums: Record<keyof typeof netDevColumns, number> = { ...nothingCounted }
  for (const line of text.split('\n').slice(2)) {
    const colon = line.indexOf(':')
    if (colon < 0 || !counts(line.slice(0, colon).trim())) continue
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
    for (const name of countNames) sums[name] += Number(fields[netDevColumns[name]])
  }
  return sums
}

const countNames = Object.keys(netDevColumns) as (keyof typeof netDevColumns)[]
export const nothingCounted = Object.fromEntries(countNames.map((name) => [name, 0])) as unknown as InterfaceCounts

/**
 * `/proc/net/snmp`: TCP connections that are established or wait to be closed, of both families. `/proc/net/tcp` says the same and
 * costs milliseconds, since the kernel walks the table of every connection of the host.
 */
export function parseEstablished(text: string): number {
  const [names = '', values = ''] = text.split('\n').filter((line) => line.startsWith('Tcp:'))
  const column = names.split(' ').indexOf('CurrEstab')
  return column < 0 ? 0 : Number(values.split(' ')[column])
}

/** `/proc/stat`: time that the processors were not idle. In ticks of 10 ms, as every Linux shows them. */
export const parseBusyNs = (text: string): number => busyNsOf(text.slice(0, text.indexOf('\n')))

/** The same of each core that is on. */
export function parseCoreBusyNs(text: string): ReadonlyMap<number, number> {
  const cores = new Map<number, number>()
  for (const line of text.split('\n')) {
    const core = /^cpu(\d+) /.exec(line)?.[1]
    if (core !== undefined) cores.set(Number(core), busyNsOf(line))
  }
  return cores
}

function busyNsOf(line: string): number {
  const [, user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0] = line.split(/\s+/).map(Number)
  return (user + nice + system + interrupt + softInterrupt) * 10_000_000
}

/** `/proc/meminfo`: what is in use and cannot be had back by dropping caches. */
export function parseUsedMemory(text: string): number {
  const kibibytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
  return Math.max(0, kibibytes('MemTotal') - kibibytes('MemAvailable')) * 1024
}

const wholeDisk = /^(?:sd[a-z]+|hd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/
const sectorBytes = 512

/** `/proc/diskstats`: whole disks only; partitions and what lies on top of disks would count twice. */
export function parseDiskStats(text: string): ReadAndWritten {
  let readBytes = 0
  let writtenBytes = 0
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (!wholeDisk.test(fields[2] ?? '')) continue
    readBytes += Number(fields[5]) * sectorBytes
    writtenBytes += Number(fields[9]) * sectorBytes
  }
  return { readBytes, writtenBytes }
}
