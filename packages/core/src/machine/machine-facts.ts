/** What a survey has found out about a machine. Absent is what it could not find out. */
export interface MachineFacts {
  readonly system: string
  readonly distribution: string
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly prettyName: string
  readonly kernel: string
  /** As `uname -m` says it: `x86_64`, `aarch64`. */
  readonly architecture: string
  readonly hostname: string
  readonly isRoot: boolean
  readonly nowMs?: number
  /** `glibc 2.36`; `other` where it is another library. */
  readonly libc?: string
  readonly systemd: boolean
  readonly memoryBytes?: number
  readonly stateFreeBytes?: number
  readonly programFreeBytes?: number
  readonly cgroup?: 'v1' | 'v2'
  readonly cgroupControllers: readonly string[]
  /** Of the kernel: `overlay`, `nf_tables`, `bridge`, `veth`. */
  readonly kernelHas: Readonly<Record<string, boolean>>
  readonly programs: ReadonlySet<string>
  readonly packageTool?: string
  readonly docker?: { readonly version: string; readonly api: string; readonly liveRestore?: boolean }
  readonly dockerSocket: boolean
  readonly dockerProblem?: string
  /** Ports that somebody listens on, by TCP on any address or an own one. */
  readonly listening: ReadonlySet<number>
  readonly listeningUdp: ReadonlySet<number>
  readonly reachesApi?: Reach
  readonly reachesAgentPort?: Reach
  /** Of the Berth that is installed. */
  readonly programVersion?: string
  readonly programSha256?: string
  readonly identity?: { readonly name: string; readonly cluster: string; readonly servers: readonly string[] }
  /** It runs a server itself. */
  readonly isServer: boolean
}

export type Reach = 'yes' | 'refused' | 'silent' | 'unknown-name'

/** Reads the lines of the survey; undefined when they are not all there, as when the connection broke. */
export function parseMachineFacts(text: string): MachineFacts | undefined {
  const said = new Map<string, string>()
  for (const line of text.split('\n')) {
    const at = line.indexOf('=')
    if (at > 0) said.set(line.slice(0, at), line.slice(at + 1).trim())
  }
  if (said.get('end') !== 'yes') return undefined
  const of = (key: string): string => said.get(key) ?? ''
  return {
    ...{ system: of('system'), distribution: of('os_ID'), prettyName: of('os_PRETTY_NAME') || of('system') },
    ...{ kernel: of('kernel'), architecture: of('architecture'), hostname: of('hostname') },
    ...{ isRoot: of('uid') === '0', systemd: of('systemd') === 'yes', dockerSocket: of('docker_socket') === 'yes' },
    cgroupControllers: words(of('cgroup_controllers')),
    kernelHas: kernelFeatures(said),
    programs: new Set(
      [...said].filter(([key, value]) => key.startsWith('has_') && value === 'yes').map(([key]) => key.slice(4)),
    ),
    listening: new Set(words(of('listening')).map(portIn)),
    listeningUdp: new Set(words(of('listening_udp')).map(portIn)),
    isServer: objectIn(of('host_config'))?.server !== undefined,
    ...numbers(said),
    ...optional('libc', of('libc')),
    ...optional('packageTool', of('packages')),
    ...optional('dockerProblem', of('docker_problem')),
    ...optional('cgroup', of('cgroup') as 'v1' | 'v2'),
    ...optional('reachesApi', of('reaches_api') as Reach),
    ...optional('reachesAgentPort', of('reaches_agent_port') as Reach),
    ...optional('programVersion', of('program_version')),
    ...optional('programSha256', of('program_sha256')),
    ...dockerIn(of('docker_version'), of('docker_live_restore')),
    ...identityIn(of('identity')),
  }
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '')

const optional = <K extends string, V extends string>(key: K, value: V): { readonly [P in K]?: V } =>
  value === '' ? {} : ({ [key]: value } as { readonly [P in K]?: V })

/** `0100007F:1DB2`, as /proc/net/tcp has it. */
const portIn = (place: string): number => Number.parseInt(place.slice(place.lastIndexOf(':') + 1), 16)

function kernelFeatures(said: ReadonlyMap<string, string>): Record<string, boolean> {
  const found = [...said].filter(([key]) => key.startsWith('kernel_'))
  return Object.fromEntries(found.map(([key, value]) => [key.slice('kernel_'.length), value === 'yes']))
}

type Numbers = Pick<MachineFacts, 'nowMs' | 'memoryBytes' | 'stateFreeBytes' | 'programFreeBytes'>

function numbers(said: ReadonlyMap<string, string>): Numbers {
  const read = (key: string, unit: number): number | undefined => {
    const text = said.get(key) ?? ''
    return /^\d{1,15}$/.test(text) ? Number(text) * unit : undefined
  }
  const all = {
    nowMs: read('now', 1000),
    memoryBytes: read('memory_kib', 1024),
    stateFreeBytes: read('state_free_kib', 1024),
    programFreeBytes: read('program_free_kib', 1024),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Numbers
}

function dockerIn(versions: string, liveRestore: string): Pick<MachineFacts, 'docker'> {
  const [version, api] = words(versions)
  if (version === undefined || api === undefined) return {}
  return { docker: { version, api, ...(liveRestore === '' ? {} : { liveRestore: liveRestore === 'true' }) } }
}

function identityIn(text: string): Pick<MachineFacts, 'identity'> {
  const { name, cluster, servers } = objectIn(text) ?? {}
  if (typeof name !== 'string' || typeof cluster !== 'string') return {}
  const list: readonly unknown[] = Array.isArray(servers) ? servers : []
  const places = list.map((each) => each as { readonly host?: unknown; readonly port?: unknown } | null)
  return { identity: { name, cluster, servers: places.map((each) => `${each?.host}:${each?.port}`) } }
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
