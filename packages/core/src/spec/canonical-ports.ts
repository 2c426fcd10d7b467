import type { PortSpec } from '../model/app-spec.ts'
import { isName, nameRule } from '../model/names.ts'
import type { PortProtocol } from '../network/published-port.ts'
import { closest } from './closest.ts'
import { compareText, given, requireKey } from './read-values.ts'
import type { EntrypointDocument, PortDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

interface FoundPort {
  readonly path: SpecPath
  readonly spec: PortSpec
}

/** The first port stays first, since it is the default one; the others are sorted by name. */
export function canonicalPorts(
  issues: IssueList,
  path: SpecPath,
  ports: EntrypointDocument['ports'],
): readonly PortSpec[] {
  const found = Array.isArray(ports) ? fromList(issues, path, ports) : fromMapping(issues, path, ports ?? {})
  refuseDuplicates(issues, found)
  const [first, ...others] = found.map(({ spec }) => spec)
  return first === undefined ? [] : [first, ...others.sort((a, b) => compareText(a.name, b.name))]
}

function fromList(issues: IssueList, path: SpecPath, list: readonly (PortDocument | undefined)[]): FoundPort[] {
  return [...given(list)].flatMap(([index, port]) => {
    const at = [...path, index]
    const name = typeof port === 'object' ? port.name : undefined
    if (name !== undefined) checkPortName(issues, [...at, 'name'], name, false)
    return readPort(issues, at, port, (spec) => name ?? defaultName(spec, index))
  })
}

function fromMapping(issues: IssueList, path: SpecPath, ports: object): FoundPort[] {
  return Object.entries(ports as Readonly<Record<string, PortDocument | undefined>>).flatMap(([name, port]) => {
    const at = [...path, name]
    checkPortName(issues, at, name, true)
    if (port === undefined) return []
    if (typeof port === 'object' && port.name !== undefined && port.name !== name)
      issues.add([...at, 'name'], `the port is already named "${name}" by its key`, { suggestion: 'leave `name` out' })
    return readPort(issues, at, port, () => name)
  })
}

const defaultName = ({ protocol, port }: Omit<PortSpec, 'name'>, index: number): string =>
  index === 0 && protocol === 'tcp' ? 'http' : `${protocol}-${port}`

function checkPortName(issues: IssueList, path: SpecPath, name: string, atKey: boolean): void {
  if (!isName(name)) issues.add(path, `${JSON.stringify(name)} cannot name a port: use ${nameRule}`, { atKey })
}

function readPort(
  issues: IssueList,
  path: SpecPath,
  document: PortDocument,
  nameOf: (spec: Omit<PortSpec, 'name'>) => string,
): FoundPort[] {
  const spec =
    typeof document === 'object' ? fromObject(issues, path, document) : issues.take(path, parsePort(document))
  if (spec === undefined) return []
  return [{ path, spec: { name: nameOf(spec), ...spec } }]
}

function fromObject(
  issues: IssueList,
  path: SpecPath,
  document: Exclude<PortDocument, string | number>,
): Omit<PortSpec, 'name'> | undefined {
  const hostPort =
    document.hostPort === undefined ? undefined : issues.take([...path, 'hostPort'], parsePortNumber(document.hostPort))
  if (!requireKey(issues, path, 'port', document.port)) return undefined
  const port = issues.take([...path, 'port'], parsePortNumber(document.port))
  if (port === undefined) return undefined
  const spec = { port, protocol: document.protocol ?? 'tcp' } as const
  return hostPort === undefined ? spec : { ...spec, hostPort }
}

/** `8080`, `"53/udp"` */
function parsePort(value: string | number): Parsed<Omit<PortSpec, 'name'>> {
  const match = /^(-?[0-9]{1,18})(?:\/(tcp|udp))?$/.exec(String(value))
  if (match !== null) {
    const port = parsePortNumber(Number(match[1]))
    return port.ok ? parsed({ port: port.value, protocol: match[2] === 'udp' ? 'udp' : 'tcp' }) : port
  }
  const published = /^([0-9]{1,5}):([0-9]{1,5})$/.exec(String(value))
  if (published !== null) {
    const [, hostPort, port] = published
    return refused('a port is written as the one inside the container', `write {port: ${port}, hostPort: ${hostPort}}`)
  }
  return refused(`${JSON.stringify(value)} is not a port: write one such as 8080 or 53/udp`)
}

function parsePortNumber(port: number): Parsed<number> {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
    ? parsed(port)
    : refused(`port ${port} is out of range (1 to 65535)`)
}

function refuseDuplicates(issues: IssueList, found: readonly FoundPort[]): void {
  const seen = new Map<string, string>()
  for (const { path, spec } of found) {
    const claims = [[`${spec.port}/${spec.protocol}`, `port ${spec.port}/${spec.protocol}`]]
    claims.push([`name ${spec.name}`, `the name "${spec.name}"`])
    if (spec.hostPort !== undefined)
      claims.push([`host ${spec.hostPort}/${spec.protocol}`, `the node’s port ${spec.hostPort}/${spec.protocol}`])
    const taken = claims.find(([key = '']) => seen.has(key))
    if (taken !== undefined) issues.add(path, `${taken[1]} is given twice`)
    for (const [key = '', text = ''] of claims) seen.set(key, text)
  }
}

/** The port that a probe or a route means by name, by number, or (saying nothing) by default: the first of its protocol. */
export function findPort(
  ports: readonly PortSpec[],
  wanted: string | number | undefined,
  entrypoint: string,
  protocol: PortProtocol = 'tcp',
): Parsed<PortSpec> {
  const found = ports.filter((each) => each.protocol === protocol)
  const mark = protocol === 'udp' ? '/udp' : ''
  const port =
    wanted === undefined ? found[0] : found.find(({ name, port }) => name === wanted || String(port) === String(wanted))
  if (port !== undefined) return parsed(port)
  if (wanted === undefined)
    return refused(`"${entrypoint}" has no ${protocol} port`, `declare one: ports: [${mark === '' ? 8080 : '53/udp'}]`)
  if (found.length === 0)
    return refused(`"${entrypoint}" has no ${protocol} port ${wanted}`, `declare it: ports: [${wanted}${mark}]`)
  const declared = found.map(({ name, port }) => `${name} (${port})`).join(', ')
  const near = closest(
    String(wanted),
    found.map(({ name }) => name),
  )
  return refused(
    `"${entrypoint}" has no ${protocol} port ${wanted}; it has ${declared}`,
    near === undefined ? undefined : `did you mean "${near}"?`,
  )
}
