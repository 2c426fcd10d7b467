import { compareVersions } from '../schedule/compare-versions.ts'
import type { MachineFacts, Reach } from './machine-facts.ts'

/** What a machine is wanted for. */
export interface MachineWish {
  readonly node: string
  /** Fingerprints of the authorities by which nodes of the cluster know it; absent where nobody knows them yet. */
  readonly clusters?: readonly string[]
  /** Whether the server has a node of the machine's present name, which may have joined under an authority that has ended since; absent: nobody has asked it. */
  readonly isKnownNode?: boolean
  readonly serverNowMs?: number
  readonly server?: { readonly host: string; readonly apiPort: number; readonly agentPort: number }
  readonly stateDir: string
  readonly dockerSocket: string
  readonly gateway?: { readonly httpPort: number; readonly httpsPort: number }
  /** Of the executable that is to run there. */
  readonly program?: { readonly architecture: string; readonly bytes: number }
  /** How one becomes root there; absent: one is it already, or it does not matter. */
  readonly root?: 'yes' | 'no-sudo' | 'sudo-refused'
  /** Nodes of the cluster that have the name already. */
  readonly nameTaken?: boolean
}

/**
 * `blocked`: nobody but a person can mend it. `package`: installing packages does. `start`: Docker is there and does not run, which is
 * started where nobody else looks after it. `warning`: it works, but.
 */
export interface Finding {
  readonly kind: 'blocked' | 'package' | 'start' | 'warning'
  readonly what: string
  readonly remedy: string
  /** Debian's packages that bring it. */
  readonly packages?: readonly string[]
}

type Rule = (facts: MachineFacts, wish: MachineWish) => Finding | undefined

const mib = 1024 ** 2
const gib = 1024 ** 3
/** What a node needs besides the executable. */
const minStateBytes = gib
const minMemoryBytes = 256 * mib
const goodMemoryBytes = 900 * mib
const minDockerApi = '1.41'
const minKernel = '4.18'
const minLibc = '2.28'
/** Certificates are good from some minutes before they are made. */
const maxSkewMs = 120_000
const goodSkewMs = 5_000

const blocked = (what: string, remedy: string): Finding => ({ kind: 'blocked', what, remedy })
const warning = (what: string, remedy: string): Finding => ({ kind: 'warning', what, remedy })
const missing = (what: string, ...packages: readonly string[]): Finding => ({
  ...{ kind: 'package', what, packages },
  remedy: `apt-get install ${packages.join(' ')}`,
})

/** Everything that keeps a machine from being a node, and what is worth knowing, at once. */
export function judgeMachine(facts: MachineFacts, wish: MachineWish): Finding[] {
  // Of another system nothing else that was asked means anything.
  const system = judgeSystem(facts)
  if (system !== undefined) return [system]
  return rules.flatMap((rule) => rule(facts, wish) ?? [])
}

/**
 * A machine says its time somewhere between two moments of the server's clock, which lie apart by as long as the survey took: the one of
 * them, or in between, that accuses it least.
 */
export const fairServerTime = (machineNowMs: number | undefined, fromMs: number, toMs: number): number =>
  Math.min(Math.max(machineNowMs ?? toMs, fromMs), toMs)

export const mayJoin = (findings: readonly Finding[]): boolean => findings.every(({ kind }) => kind === 'warning')

/** Those that come by installing, each once. */
export const packagesOf = (findings: readonly Finding[]): string[] => [
  ...new Set(findings.flatMap((each) => each.packages ?? [])),
]

const architectures: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  amd64: 'x64',
  aarch64: 'arm64',
  arm64: 'arm64',
}

/** As Node and Berth call it: `x64`, `arm64`; what is neither, as the machine calls it. */
export const architectureOf = (machine: string): string => architectures[machine] ?? machine

function judgeSystem({ system }: MachineFacts): Finding | undefined {
  if (system === 'Linux') return undefined
  return blocked(`it runs ${system === '' ? 'no system that answers to uname' : system}`, 'Berth needs Linux')
}

const judgeRoot: Rule = (_, { root }) => {
  if (root === 'no-sudo')
    return blocked('not root, and there is no sudo', 'log in as root, or install sudo and allow this user to use it')
  if (root === 'sudo-refused')
    return blocked(
      'not root, and sudo asks for a password, does not take the one that was given, or refuses',
      'give the right one by --sudo-password-file, or allow this user to use sudo',
    )
  return undefined
}

const judgeArchitecture: Rule = ({ architecture }, { program }) => {
  if (program === undefined || architectureOf(architecture) === program.architecture) return undefined
  return blocked(
    `its processor is ${architecture}, and the executable is for ${program.architecture}`,
    `give --executable FILE with one that was built for ${architectureOf(architecture)}`,
  )
}

const judgeLibc: Rule = ({ libc, prettyName }) => {
  const version = /^glibc (\S+)$/.exec(libc ?? '')?.[1]
  if (libc === undefined || (version !== undefined && compareVersions(version, minLibc) >= 0)) return undefined
  const found = version === undefined ? 'a C library other than glibc' : `glibc ${version}`
  return blocked(
    `${prettyName} has ${found}`,
    `Berth needs glibc ${minLibc} or later: Debian 10, Ubuntu 20.04, RHEL 8 or later`,
  )
}

const judgeKernel: Rule = ({ kernel }) =>
  compareVersions(kernel, minKernel) >= 0
    ? undefined
    : blocked(`its kernel is ${kernel}`, `Berth needs Linux ${minKernel} or later`)

const features: readonly (readonly [feature: string, what: string])[] = [
  ['overlay', 'overlay file system'],
  ['nf_tables', 'nftables (nf_tables)'],
  ['bridge', 'network bridge'],
  ['veth', 'veth pairs'],
]

const judgeFeatures: Rule = ({ kernelHas }) => {
  const lacking = features.filter(([feature]) => kernelHas[feature] === false)
  if (lacking.length === 0) return undefined
  return blocked(
    `the kernel has no ${lacking.map(([, what]) => what).join(', no ')}`,
    `try: modprobe ${lacking.map(([feature]) => feature).join(' ')}; otherwise another kernel`,
  )
}

const judgeCgroup: Rule = ({ cgroup, cgroupControllers }) => {
  if (cgroup === undefined)
    return blocked('no control groups are mounted', 'mount /sys/fs/cgroup, as every distribution does')
  const lacking = ['cpu', 'memory', 'cpuset'].filter((each) => !cgroupControllers.includes(each))
  if (lacking.length === 0) return undefined
  return blocked(
    `cgroup ${cgroup} without the ${lacking.join(', ')} controller`,
    `enable it in the kernel's command line${lacking.includes('memory') ? ' (cgroup_enable=memory)' : ''}`,
  )
}

const programs: readonly (readonly [program: string, apt: string])[] = [
  ['ip', 'iproute2'],
  ['nft', 'nftables'],
  ['iptables', 'iptables'],
  ['git', 'git'],
]

const judgePrograms: Rule = (facts) => {
  const lacking = programs.filter(([program]) => !facts.programs.has(program))
  if (lacking.length === 0) return undefined
  return missing(`no ${lacking.map(([program]) => program).join(', no ')}`, ...lacking.map(([, apt]) => apt))
}

const judgeGateway: Rule = (facts, { gateway }) => {
  if (gateway === undefined) return undefined
  const parts = [
    ['nginx', 'nginx', 'nginx-light'],
    ['nginx_lua', 'Lua module for nginx', 'libnginx-mod-http-lua'],
    ['lua_cjson', 'lua-cjson', 'lua-cjson'],
  ] as const
  const lacking = parts.filter(([program]) => !facts.programs.has(program))
  if (lacking.length === 0) return undefined
  return missing(
    `no ${lacking.map(([, what]) => what).join(', no ')}, which a gateway needs`,
    ...lacking.map(([, , apt]) => apt),
  )
}

const judgeDocker: Rule = (facts, { dockerSocket }) => {
  const { docker, dockerProblem } = facts
  if (docker === undefined) {
    if (!facts.programs.has('dockerd') && !facts.dockerSocket) return missing('no Docker Engine', 'docker.io')
    if (!facts.programs.has('docker')) return undefined
    const why = dockerProblem === undefined || dockerProblem === '' ? '' : ` (${dockerProblem.replace(/\.$/, '')})`
    if (!facts.dockerSocket || /cannot connect/i.test(dockerProblem ?? ''))
      return {
        kind: 'start',
        what: 'Docker is installed and does not run',
        remedy: 'systemctl start docker, or dockerd',
      }
    return blocked(`Docker does not answer at ${dockerSocket}${why}`, 'see its log, and whether this user may use it')
  }
  if (compareVersions(docker.api, minDockerApi) >= 0) return undefined
  return blocked(
    `Docker ${docker.version} (API ${docker.api}) is too old`,
    `Berth needs Docker 20.10 (API ${minDockerApi}) or later`,
  )
}

const judgeLiveRestore: Rule = ({ docker }) =>
  docker?.liveRestore === false
    ? warning(
        'Docker runs without live-restore: its restart ends every instance',
        'set "live-restore": true in /etc/docker/daemon.json, then systemctl reload docker',
      )
    : undefined

const judgeClock: Rule = ({ nowMs }, { serverNowMs }) => {
  if (nowMs === undefined || serverNowMs === undefined) return undefined
  const skewMs = nowMs - serverNowMs
  if (Math.abs(skewMs) <= goodSkewMs) return undefined
  const what = `its clock is ${duration(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'} the server's`
  const remedy = 'set it, and keep it so: timedatectl set-ntp true, or chrony'
  return Math.abs(skewMs) > maxSkewMs ? blocked(what, remedy) : warning(what, remedy)
}

const judgeDisk: Rule = ({ stateFreeBytes, programFreeBytes, programSha256 }, { stateDir, program }) => {
  if (stateFreeBytes !== undefined && stateFreeBytes < minStateBytes)
    return blocked(
      `only ${size(stateFreeBytes)} free below ${stateDir}`,
      `make room: Berth wants at least ${size(minStateBytes)}`,
    )
  const needed = (program?.bytes ?? 0) + 16 * mib
  if (programFreeBytes === undefined || programSha256 !== undefined || programFreeBytes >= needed) return undefined
  return blocked(`only ${size(programFreeBytes)} free where the executable goes`, `make room: it needs ${size(needed)}`)
}

const judgeMemory: Rule = ({ memoryBytes }) => {
  if (memoryBytes === undefined || memoryBytes >= goodMemoryBytes) return undefined
  const what = `it has ${size(memoryBytes)} of memory`
  if (memoryBytes < minMemoryBytes) return blocked(what, `Berth and Docker need at least ${size(minMemoryBytes)}`)
  return warning(what, 'little is left for instances')
}

/** Of a machine that is a node already they are Berth's own. */
const judgePorts: Rule = ({ listening, identity, listeningUdp }, { gateway }) => {
  if (identity !== undefined) return undefined
  const wanted = gateway === undefined ? [] : [gateway.httpPort, gateway.httpsPort].filter((port) => port !== 0)
  const taken = wanted.filter((port) => listening.has(port))
  if (taken.length > 0)
    return blocked(
      `somebody listens on port ${taken.join(' and ')} already, which the gateway needs`,
      `find out who (ss -ltnp), or choose others (--http-port, --https-port), or have no gateway here`,
    )
  return listeningUdp.has(53) && listening.has(53)
    ? warning(
        'a DNS server runs on it',
        'where it listens on all addresses, Berth cannot answer names there: let it listen on its own ones',
      )
    : undefined
}

const judgeReach: Rule = (facts, { server }) => {
  if (server === undefined) return undefined
  const { host, apiPort, agentPort } = server
  const ports = [
    [facts.reachesApi, apiPort, 'the API'],
    [facts.reachesAgentPort, agentPort, 'the port of agents'],
  ] as const
  const failing = ports.filter(([reach]) => reach !== undefined && reach !== 'yes')
  if (failing.length === 0) return undefined
  const what = failing.map(([reach, port, name]) => `${host}:${port} (${name}) ${reachWords(reach)}`).join(', ')
  return blocked(
    `from there, ${what}`,
    'open the port between the machines, or give --server with an address that is reached from there',
  )
}

const reachWords = (reach: Reach | undefined): string =>
  reach === 'refused'
    ? 'refuses connections'
    : reach === 'unknown-name'
      ? 'has a name that it does not know'
      : 'does not answer'

const judgeIdentity: Rule = ({ identity, isServer }, wish) => {
  const { node, stateDir } = wish
  if (identity === undefined)
    return isServer ? blocked('it is a cluster of its own (berth up)', 'berth down --all there first') : undefined
  const leave = `to join anew: berth down --all --purge there, then remove ${stateDir}/agent/node.json`
  if (!isOfCluster(identity, wish))
    return blocked(
      `it is node ${identity.name} of another cluster (authority ${identity.cluster.slice(0, 12)}…)`,
      leave,
    )
  if (wish.isKnownNode === false)
    return blocked(`it was node ${identity.name} of this cluster, and was removed from it (berth node rm)`, leave)
  if (identity.name !== node)
    return blocked(
      `it is node ${identity.name} of this cluster already`,
      `call it so (--node ${identity.name}), or ${leave}`,
    )
  return undefined
}

function isOfCluster(
  { cluster, servers }: NonNullable<MachineFacts['identity']>,
  { clusters, server, isKnownNode }: MachineWish,
): boolean {
  if (clusters === undefined || clusters.includes(cluster)) return true
  return isKnownNode === true && servers.includes(`${server?.host}:${server?.agentPort}`)
}

const judgeName: Rule = ({ identity }, { node, nameTaken }) =>
  nameTaken === true && identity === undefined
    ? blocked(
        `another machine is node ${node} already`,
        `choose another --node; if it is the same machine set up anew, first: berth node rm ${node}`,
      )
    : undefined

const rules: readonly Rule[] = [
  ...[judgeRoot, judgeArchitecture, judgeLibc, judgeKernel, judgeFeatures, judgeCgroup, judgeIdentity, judgeName],
  ...[
    judgePrograms,
    judgeGateway,
    judgeDocker,
    judgeLiveRestore,
    judgePorts,
    judgeReach,
    judgeClock,
    judgeDisk,
    judgeMemory,
  ],
]

const size = (bytes: number): string =>
  bytes >= gib ? `${(bytes / gib).toFixed(1)} GiB` : `${Math.floor(bytes / mib)} MiB`

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
