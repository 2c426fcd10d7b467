import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What dockerd changes of a machine besides its own things, as it was before. */
export interface BeforeDocker {
  readonly forwarding: boolean
  readonly forwardPolicy: string
}

export interface DockerRemainsOptions {
  /** Docker's exec root. */
  readonly runDir?: string
  readonly dataDir?: string
}

const bridge = 'docker0'
const defaultRunDir = '/run/docker'
const defaultDataDir = '/var/lib/docker'
const forwardingFile = '/proc/sys/net/ipv4/ip_forward'
const families = [
  { iptables: 'iptables', family: 'ip' },
  { iptables: 'ip6tables', family: 'ip6' },
] as const
const tables = ['filter', 'nat', 'raw'] as const

/** undefined: a dockerd has run here since the machine's start, so what lies about is not for us to remove. */
export function lookBeforeDocker(): BeforeDocker | undefined {
  if (hasBridge()) return undefined
  const policy = /^-P FORWARD (\w+)/m.exec(run('iptables', '-w', '5', '-S', 'FORWARD').stdout)?.[1]
  return { forwarding: readFileSync(forwardingFile, 'utf8').trim() === '1', forwardPolicy: policy ?? 'ACCEPT' }
}

/**
 * An ended dockerd leaves its bridge, its rules and its folder in /run behind, until the machine's next start. This removes them after one
 * that was only run for us. To be called when no dockerd runs. False: containers of others go on running, and need all of it.
 */
export function removeDockerRemains(before: BeforeDocker, options: DockerRemainsOptions = {}): boolean {
  const { runDir = defaultRunDir, dataDir = defaultDataDir } = options
  if (namesIn(join(runDir, 'runtime-runc', 'moby')).length > 0) return false
  if (hasBridge()) run('ip', 'link', 'delete', bridge)
  for (const { iptables, family } of families) {
    for (const table of tables) removeRules(iptables, table)
    if (iptables === 'iptables') run(iptables, '-w', '5', '-P', 'FORWARD', before.forwardPolicy)
    for (const table of tables) removeTableWithoutEffect(family, table)
  }
  if (!before.forwarding) writeFileSync(forwardingFile, '0')
  if (isMountOfItself(dataDir)) run('umount', dataDir)
  removeRunDir(runDir)
  removeCgroups()
  return true
}

/** Docker's chains but a DOCKER-USER with rules of somebody else, and what leads into them or speaks of Docker's bridges. */
function removeRules(iptables: string, table: string): void {
  const call = (...args: readonly string[]) => run(iptables, '-w', '5', '-t', table, ...args)
  const lines = call('-S').stdout.split('\n')
  const usersRules = lines.some((line) => line.startsWith('-A DOCKER-USER ') && line !== '-A DOCKER-USER -j RETURN')
  const chains = lines
    .flatMap((line) => /^-N (DOCKER\S*)$/.exec(line)?.[1] ?? [])
    .filter((chain) => !(usersRules && chain === 'DOCKER-USER'))
  for (const line of lines) {
    const [, , target] = / -(j|g) (DOCKER\S*)/.exec(line) ?? []
    const ofBridge = / (docker0|br-[0-9a-f]{12})( |$)/.test(line)
    if (!line.startsWith('-A ') || line.includes('"') || line.startsWith('-A DOCKER')) continue
    if (ofBridge || (target !== undefined && chains.includes(target))) call('-D', ...line.split(' ').slice(1))
  }
  for (const chain of chains) call('-F', chain)
  for (const chain of chains) call('-X', chain)
}

interface NftObject {
  readonly chain?: { readonly hook?: string; readonly policy?: string }
  readonly rule?: unknown
  readonly set?: unknown
  readonly map?: unknown
}

/** A table of base chains that let everything through does nothing; iptables makes it anew when somebody wants a rule in it. */
function removeTableWithoutEffect(family: string, table: string): void {
  const { status, stdout } = run('nft', '-j', 'list', 'table', family, table)
  if (status !== 0) return
  const objects = (JSON.parse(stdout) as { nftables: readonly NftObject[] }).nftables
  const works = objects.some(
    ({ chain, rule, set, map }) =>
      rule !== undefined ||
      set !== undefined ||
      map !== undefined ||
      (chain !== undefined && (chain.hook === undefined || chain.policy !== 'accept')),
  )
  if (!works) run('nft', 'delete', 'table', family, table)
}

/** dockerd mounts its folder onto itself where the root is no shared mount, and one that was killed forgets to undo it. */
function isMountOfItself(dir: string): boolean {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  const own = mounts.findLast((fields) => fields[4] === dir)
  const parent = mounts.find((fields) => fields[0] === own?.[1])
  if (own === undefined || parent === undefined || own[2] !== parent[2]) return false
  return own[3] === join(parent[3] ?? '/', dir.slice(parent[4] === '/' ? 0 : parent[4]?.length))
}

function removeRunDir(dir: string): void {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${dir}/`)
  if (!mounted) rmSync(dir, { recursive: true, force: true })
  // Sockets of shims; a containerd that is not Docker's has its own there.
  for (const each of ['/run/containerd/s', '/run/containerd']) {
    if (existsSync(each) && namesIn(each).length === 0) rmdirSync(each)
  }
}

/** Those of its containers; the kernel removes none that is in use. */
function removeCgroups(): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' - '))
  for (const [before = '', after = ''] of mounts) {
    const path = join(before.split(' ')[4] ?? '/', 'docker')
    if (after.startsWith('cgroup') && existsSync(path)) run('rmdir', '--ignore-fail-on-non-empty', path)
  }
}

const hasBridge = (): boolean => run('ip', 'link', 'show', bridge).status === 0

const namesIn = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : [])

function run(command: string, ...args: readonly string[]): { readonly status: number | null; readonly stdout: string } {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return { status, stdout: stdout ?? '' }
}
