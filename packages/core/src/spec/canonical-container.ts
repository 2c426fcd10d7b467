import type { EntrypointSpec, ResourceSpec, UlimitSpec } from '../model/app-spec.ts'
import { isName, nameRule } from '../model/names.ts'
import { bandwidthIn, bandwidthOut } from '../network/uplink.ts'
import { parseAbsolutePath } from './absolute-path.ts'
import { canonicalBandwidth } from './canonical-bandwidth.ts'
import { closest } from './closest.ts'
import { specDefaults } from './defaults.ts'
import { parseQuantity } from './quantities.ts'
import { compareText, given, readBytes, readCount, readCpu, requireKey, sortedRecord } from './read-values.ts'
import type { EntrypointDocument, ResourcesDocument, UlimitDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

/** The least memory that Docker gives a container. */
const minMemoryBytes = 6 << 20

export function canonicalResources(issues: IssueList, path: SpecPath, document: ResourcesDocument): ResourceSpec {
  const cpuMilli = readCpu(issues, [...path, 'cpu'], document.cpu, undefined)
  const memoryBytes = readBytes(issues, [...path, 'memory'], document.memory, undefined, { min: minMemoryBytes })
  const diskBytes = readBytes(issues, [...path, 'disk'], document.disk, undefined, { min: 1 << 20 })
  const extra = canonicalExtra(issues, [...path, 'resources'], document.resources)
  const bandwidth = canonicalBandwidth(issues, [...path, 'bandwidth'], document.bandwidth)
  return {
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(diskBytes === undefined ? {} : { diskBytes }),
    ...(document.burst === undefined ? {} : { burst: document.burst }),
    ...bandwidth,
    ...(extra === undefined ? {} : { extra }),
  }
}

/** What nodes declare by name, such as `gpu: 1`. */
function canonicalExtra(
  issues: IssueList,
  path: SpecPath,
  resources: ResourcesDocument['resources'],
): Record<string, number> | undefined {
  const entries = Object.entries(resources ?? {}).flatMap(([name, amount]): [string, number][] => {
    const at = [...path, name]
    if (Object.hasOwn(guaranteedKeys, name)) {
      const suggestion = `write \`bandwidth: {guaranteed: {${guaranteedKeys[name]}: 100Mbit}}\``
      issues.add(at, `\`${name}\` is what guarantees of bandwidth are counted by`, { suggestion, atKey: true })
      return []
    }
    if (['cpu', 'memory', 'disk', 'burst', 'bandwidth', 'ports'].includes(name)) {
      const suggestion = 'write it beside `resources`, in the entrypoint itself'
      issues.add(at, `\`${name}\` is no further resource`, { suggestion, atKey: true })
      return []
    }
    if (!isName(name))
      issues.add(at, `${JSON.stringify(name)} cannot name a resource: use ${nameRule}`, { atKey: true })
    const count = amount === undefined ? undefined : issues.take(at, parseQuantity(String(amount)))
    return count === undefined ? [] : [[name, count]]
  })
  return entries.length === 0 ? undefined : sortedRecord(entries)
}

const guaranteedKeys: Readonly<Record<string, string>> = { [bandwidthIn]: 'in', [bandwidthOut]: 'out' }

type ContainerSettings = Pick<
  EntrypointSpec,
  'sysctls' | 'ulimits' | 'user' | 'workingDirectory' | 'capabilities' | 'init' | 'labels' | 'logs'
>

export function canonicalContainer(issues: IssueList, path: SpecPath, document: EntrypointDocument): ContainerSettings {
  const user =
    document.user === undefined ? undefined : issues.take([...path, 'user'], parseUser(String(document.user)))
  const workingDirectory =
    document.workingDirectory === undefined
      ? undefined
      : issues.take([...path, 'workingDirectory'], parseAbsolutePath(document.workingDirectory))
  return {
    sysctls: canonicalSysctls(issues, [...path, 'sysctls'], document.sysctls),
    ulimits: canonicalUlimits(issues, [...path, 'ulimits'], document.ulimits),
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    capabilities: canonicalCapabilities(issues, [...path, 'capabilities'], document.capabilities),
    init: document.init ?? specDefaults.init,
    labels: canonicalLabels(issues, [...path, 'labels'], document.labels),
    logs: canonicalLogs(issues, [...path, 'logs'], document.logs),
  }
}

/** `node`, `1000`, `1000:1000` */
function parseUser(text: string): Parsed<string> {
  const one = '(?:[0-9]{1,10}|[a-z_][a-z0-9_-]{0,31})'
  return new RegExp(`^${one}(?::${one})?$`).test(text)
    ? parsed(text)
    : refused(`${JSON.stringify(text)} is no user: write a name or number, with a group after a colon if need be`)
}

/** Kernel settings that a container has of its own; all others belong to the whole node, and Docker refuses them. */
const ownSysctl =
  /^(net\.[A-Za-z0-9_.-]+|fs\.mqueue\.[a-z_]+|kernel\.(sem|msg(max|mnb|mni)|shm(all|max|mni|_rmid_forced)))$/

function canonicalSysctls(
  issues: IssueList,
  path: SpecPath,
  sysctls: EntrypointDocument['sysctls'],
): Record<string, string> {
  const entries = Object.entries(sysctls ?? {}).flatMap(([written, value]): [string, string][] => {
    const name = written.replaceAll('/', '.')
    if (!ownSysctl.test(name)) {
      const suggestion = 'only net.*, fs.mqueue.* and kernel.{sem,msg*,shm*} can be set for a container'
      issues.add([...path, written], `${name} is a setting of the whole node`, { suggestion, atKey: true })
    }
    return value === undefined ? [] : [[name, String(value)]]
  })
  return sortedRecord(entries)
}

const ulimitNames =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ')

function canonicalUlimits(
  issues: IssueList,
  path: SpecPath,
  ulimits: EntrypointDocument['ulimits'],
): readonly UlimitSpec[] {
  const limits = Object.entries(ulimits ?? {}).flatMap(([name, value]): UlimitSpec[] => {
    const at = [...path, name]
    if (!ulimitNames.includes(name)) {
      const near = closest(name, ulimitNames)
      const suggestion = near === undefined ? `one of ${ulimitNames.join(', ')}` : `did you mean "${near}"?`
      issues.add(at, `there is no limit called "${name}"`, { suggestion, atKey: true })
    }
    return value === undefined ? [] : readUlimit(issues, at, name, value)
  })
  return limits.sort((a, b) => compareText(a.name, b.name))
}

/** −1 is no limit. */
function readUlimit(issues: IssueList, at: SpecPath, name: string, value: number | UlimitDocument): UlimitSpec[] {
  const short = typeof value === 'number'
  const { soft, hard } = short ? { soft: value, hard: value } : value
  const bounds = { min: -1, max: Number.MAX_SAFE_INTEGER }
  if (!requireKey(issues, at, 'soft', soft) || !requireKey(issues, at, 'hard', hard)) return []
  const readSoft = readCount(issues, short ? at : [...at, 'soft'], soft, undefined, bounds)
  const readHard = short ? readSoft : readCount(issues, [...at, 'hard'], hard, undefined, bounds)
  if (readSoft === undefined || readHard === undefined) return []
  const unlimited = (limit: number): number => (limit === -1 ? Number.POSITIVE_INFINITY : limit)
  if (unlimited(readSoft) > unlimited(readHard))
    issues.add(at, `the soft limit ${soft} is above the hard limit ${hard}`)
  return [{ name, soft: readSoft, hard: readHard }]
}

const capabilityNames = (
  'AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID ' +
  'IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT ' +
  'SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM'
).split(' ')

function canonicalCapabilities(
  issues: IssueList,
  path: SpecPath,
  list: EntrypointDocument['capabilities'],
): readonly string[] {
  const names = new Set<string>()
  for (const [index, written] of given(list)) {
    const name = written.toUpperCase().replace(/^CAP_/, '')
    if (capabilityNames.includes(name)) names.add(name)
    else issues.add([...path, index], `there is no capability called ${JSON.stringify(written)}`, capabilityHint(name))
  }
  return [...names].sort(compareText)
}

function capabilityHint(name: string): { readonly suggestion?: string } {
  if (name === 'ALL') return { suggestion: 'name each one that is needed' }
  const near = closest(name, capabilityNames)
  return near === undefined ? {} : { suggestion: `did you mean "${near}"?` }
}

function canonicalLabels(
  issues: IssueList,
  path: SpecPath,
  labels: EntrypointDocument['labels'],
): Record<string, string> {
  const entries = Object.entries(labels ?? {}).flatMap(([name, value]): [string, string][] => {
    if (/^berth(\.|$)/.test(name))
      issues.add([...path, name], 'labels that start with `berth.` are set by Berth itself', { atKey: true })
    else if (!/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?$/.test(name))
      issues.add([...path, name], `${JSON.stringify(name)} cannot name a label: use letters, digits and . _ / -`, {
        atKey: true,
      })
    return value === undefined ? [] : [[name, String(value)]]
  })
  return sortedRecord(entries)
}

function canonicalLogs(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument['logs'],
): EntrypointSpec['logs'] {
  const { maxBytes, maxFiles } = specDefaults.logs
  return {
    maxBytes: readBytes(issues, [...path, 'maxSize'], document?.maxSize, maxBytes, { min: 4096 }),
    maxFiles: readCount(issues, [...path, 'maxFiles'], document?.maxFiles, maxFiles, { min: 1, max: 1000 }),
  }
}
