import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

type PacketCounts = readonly [packets: number, errors: number, drops: number]

/** What a test wants the kernel's files to show. */
export interface Shown {
  readonly cpuUs: number
  readonly throttledUs: number
  readonly periods: number
  readonly throttledPeriods: number
  readonly memoryBytes: number
  readonly inactiveFileBytes: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Packets, errors and drops beside these bytes. */
  readonly received?: PacketCounts
  readonly sent?: PacketCounts
  readonly established: number
}

export const layouts = ['v2-systemd', 'v2-cgroupfs', 'v1-joined', 'v1-separate', 'hybrid'] as const
export type Layout = (typeof layouts)[number]

const id = '3a90eb47a40d99e0dd2efebcc74d7681b1c7f6cce8d2d3b0b58868dc565a7084'

/**
 * A tree of /proc and /sys/fs/cgroup as a kernel and an engine of that layout show it for one container, in full (formats of
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, `docker run` on Debian 12, Ubuntu 22.04 and a hand-mounted version 1).
 */
export async function writeKernelTree(root: string, layout: Layout, pid: number, shown: Shown): Promise<void> {
  const files = { ...processFiles(layout, pid, shown), ...cgroupFiles(layout, shown) }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

export const cgroupRootOf = (root: string): string => join(root, 'cgroup')
export const procRootOf = (root: string): string => join(root, 'proc')

/** What is left when the container is gone and its process id is another's. */
export const removeCgroups = (root: string): Promise<void> => rm(cgroupRootOf(root), { recursive: true })

function cgroupFiles(layout: Layout, shown: Shown): Record<string, string> {
  switch (layout) {
    case 'v2-systemd':
      return unifiedFiles(`cgroup/system.slice/docker-${id}.scope`, shown)
    case 'v2-cgroupfs':
      return unifiedFiles(`cgroup/docker/${id}`, shown)
    case 'v1-joined':
      return versionOneFiles('cpu,cpuacct', 'cpu,cpuacct', shown)
    case 'v1-separate':
      return versionOneFiles('cpu', 'cpuacct', shown)
    case 'hybrid':
      return {
        ...versionOneFiles('cpu', 'cpuacct', shown),
        [`cgroup/unified/docker/${id}/cgroup.procs`]: '',
        'cgroup/unified/cgroup.controllers': 'hugetlb\n',
      }
    default:
      return layout satisfies never
  }
}

const membership: Readonly<Record<Layout, string>> = {
  'v2-systemd': `0::/system.slice/docker-${id}.scope\n`,
  'v2-cgroupfs': `0::/docker/${id}\n`,
  'v1-joined': [
    '12:pids',
    '11:hugetlb',
    '10:net_cls,net_prio',
    '9:devices',
    '8:blkio',
    '7:memory',
    '6:perf_event',
    '5:freezer',
    '4:cpu,cpuacct',
    '3:cpuset',
    '2:rdma',
    '1:name=systemd',
  ]
    .map((each) => `${each}:/docker/${id}\n`)
    .join(''),
  'v1-separate': ['4:memory', '3:blkio', '2:cpuacct', '1:cpu'].map((each) => `${each}:/docker/${id}\n`).join(''),
  hybrid: ['4:memory', '3:blkio', '2:cpuacct', '1:cpu', '0:'].map((each) => `${each}:/docker/${id}\n`).join(''),
}

const processFiles = (layout: Layout, pid: number, shown: Shown): Record<string, string> => ({
  [`proc/${pid}/cgroup`]: membership[layout],
  [`proc/${pid}/net/dev`]: netDev([
    ['lo', 987_654, 987_654],
    ['eth0', shown.receivedBytes, shown.sentBytes, shown.received, shown.sent],
  ]),
  [`proc/${pid}/net/snmp`]: snmp(shown.established),
})

const unifiedFiles = (directory: string, shown: Shown): Record<string, string> => ({
  [`${directory}/cpu.stat`]: `usage_usec ${shown.cpuUs}
user_usec ${Math.floor(shown.cpuUs * 0.7)}
system_usec ${Math.floor(shown.cpuUs * 0.3)}
core_sched.force_idle_usec 0
nr_periods ${shown.periods}
nr_throttled ${shown.throttledPeriods}
throttled_usec ${shown.throttledUs}
nr_bursts 0
burst_usec 0
`,
  [`${directory}/memory.current`]: `${shown.memoryBytes}\n`,
  [`${directory}/memory.max`]: '268435456\n',
  [`${directory}/memory.stat`]: `anon 10563584
file 225280
kernel 1617920
kernel_stack 180224
pagetables 438272
sock 0
shmem 0
file_mapped 225280
file_dirty 0
inactive_anon 10559488
active_anon 4096
inactive_file ${shown.inactiveFileBytes}
active_file 225280
unevictable 0
slab 845360
pgfault 4575
pgmajfault 10
workingset_refault_file 55
`,
  [`${directory}/io.stat`]: `259:0 rbytes=${shown.readBytes - 4096} wbytes=${shown.writtenBytes} rios=31 wios=2 dbytes=0 dios=0
253:1 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=512 dios=1
`,
})

const versionOneFiles = (cpu: string, cpuacct: string, shown: Shown): Record<string, string> => ({
  [`cgroup/${cpuacct}/docker/${id}/cpuacct.usage`]: `${shown.cpuUs * 1000}\n`,
  [`cgroup/${cpu}/docker/${id}/cpu.stat`]: `nr_periods ${shown.periods}
nr_throttled ${shown.throttledPeriods}
throttled_time ${shown.throttledUs * 1000}
nr_bursts 0
burst_time 0
`,
  [`cgroup/memory/docker/${id}/memory.usage_in_bytes`]: `${shown.memoryBytes}\n`,
  [`cgroup/memory/docker/${id}/memory.stat`]: `cache 225280
rss 10563584
inactive_anon 10559488
active_anon 4096
inactive_file 1
active_file 225280
hierarchical_memory_limit 268435456
total_cache 225280
total_rss 10563584
total_inactive_anon 10559488
total_active_anon 4096
total_inactive_file ${shown.inactiveFileBytes}
total_active_file 225280
total_unevictable 0
`,
  [`cgroup/blkio/docker/${id}/blkio.throttle.io_service_bytes_recursive`]: `259:0 Read ${shown.readBytes - 4096}
259:0 Write ${shown.writtenBytes}
259:0 Sync ${shown.readBytes}
259:0 Async ${shown.writtenBytes}
259:0 Discard 0
259:0 Total ${shown.readBytes + shown.writtenBytes - 4096}
253:1 Read 4096
253:1 Write 0
253:1 Total 4096
Total ${shown.readBytes + shown.writtenBytes}
`,
})

type Interface = readonly [
  name: string,
  receivedBytes: number,
  sentBytes: number,
  received?: PacketCounts | undefined,
  sent?: PacketCounts | undefined,
]

export function netDev(interfaces: readonly Interface[]): string {
  const lines = interfaces.map(
    ([name, received, sent, into = [6, 0, 0], out = [5, 0, 0]]) =>
      `${name.padStart(6)}: ${received} ${into.join(' ')} 0 0 0 0 ${sent} ${out.join(' ')} 0 0 0 0`,
  )
  return `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
${lines.join('\n')}
`
}

export const snmp = (established: number): string => `Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 1832
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 12 88 0 3 ${established} 1790 1788 0 0 9 0
Udp: InDatagrams NoPorts InErrors OutDatagrams
Udp: 4 0 0 4
`
