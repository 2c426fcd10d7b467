import type { IssueList, SpecPath } from '../spec/spec-issue.ts'
import { canonicalFile, type FileContext } from './canonical-file.ts'
import type { Json, NodeFile } from './node-config.ts'
import { asJson, type DockerDocument } from './node-config-document.ts'

/** Keys of `daemon.json` that are not to be set here, and why. */
const refusedOptions: Readonly<Record<string, string>> = {
  hosts: 'the agent would lose dockerd’s socket',
  'data-root': 'containers and images would be left where they are: move it by hand, on a drained node',
  'exec-root': 'running containers would be lost',
  pidfile: 'nothing would find dockerd any more',
  containerd: 'running containers would be lost',
  'containerd-namespace': 'running containers would be lost',
  'userns-remap': 'containers and images would be left under another root: set it before the machine becomes a node',
  'storage-driver': 'containers and images would be left where they are: change it by hand, on a drained node',
}

const optionPattern = /^[a-z][a-z0-9-]{0,63}$/
const registryPattern = /^(?=.{1,253}(:|$))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$/
const rangePattern = /^[0-9a-fA-F.:]+\/[0-9]{1,3}$/

/** What `docker:` amounts to in dockerd's `daemon.json`. */
export function canonicalDocker(written: DockerDocument, path: SpecPath, issues: IssueList): Record<string, Json> {
  const docker: Record<string, Json> = {}
  for (const [option, value] of Object.entries(written.options ?? {})) {
    const problem = optionProblem(option, value)
    if (problem === undefined) docker[option] = asJson(value)
    else issues.add([...path, 'options', option], problem.message, { ...problem.more, atKey: problem.atKey })
  }
  const mirrors = written.mirrors ?? []
  for (const [index, mirror] of mirrors.entries())
    if (!isMirror(mirror))
      issues.add(
        [...path, 'mirrors', index],
        `${JSON.stringify(mirror)} is no mirror: write its address, such as https://mirror.example`,
      )
  const insecure = written.insecure ?? []
  for (const [index, registry] of insecure.entries())
    if (!registryPattern.test(registry) && !rangePattern.test(registry))
      issues.add(
        [...path, 'insecure', index],
        `${JSON.stringify(registry)} is no registry: write host:port, or a range such as 10.0.0.0/8`,
      )
  if (mirrors.length > 0) docker['registry-mirrors'] = mirrors.map(asDockerHasIt)
  if (insecure.length > 0) docker['insecure-registries'] = [...insecure]
  return docker
}

interface OptionProblem {
  readonly message: string
  readonly atKey: boolean
  readonly more?: { readonly suggestion: string }
}

function optionProblem(option: string, value: unknown): OptionProblem | undefined {
  const place = { 'registry-mirrors': 'docker.mirrors', 'insecure-registries': 'docker.insecure' }[option]
  if (place !== undefined)
    return { message: `${option} is not written here`, atKey: true, more: { suggestion: `write it as \`${place}\`` } }
  const why = Object.hasOwn(refusedOptions, option) ? refusedOptions[option] : undefined
  if (why !== undefined) return { message: `${option} cannot be changed by Berth: ${why}`, atKey: true }
  if (!optionPattern.test(option)) return { message: `${JSON.stringify(option)} is no key of daemon.json`, atKey: true }
  if (option === 'live-restore' && value !== true)
    return {
      message: 'without live-restore a restart of dockerd ends every container',
      atKey: false,
      more: { suggestion: 'write true' },
    }
  if (value === null || value === undefined) return { message: 'the value is missing', atKey: true }
  return undefined
}

/** Docker writes them down with a slash at the end, and takes no path. */
const asDockerHasIt = (mirror: string): string => (mirror.endsWith('/') ? mirror : `${mirror}/`)
const isMirror = (text: string): boolean => /^https?:\/\/[A-Za-z0-9.[\]:-]+\/?$/.test(text)

/** `registries.HOST.ca` is the file that Docker looks for. */
export function certificateFiles(
  docker: DockerDocument | undefined,
  path: SpecPath,
  context: FileContext,
): [string, NodeFile][] {
  return Object.entries(docker?.registries ?? {}).flatMap(([host, registry]) => {
    const at = [...path, 'registries', host]
    if (!registryPattern.test(host)) {
      context.issues.add(at, `${JSON.stringify(host)} is no registry: write host or host:port`, { atKey: true })
      return []
    }
    if (registry?.ca === undefined) return []
    const name = `/etc/docker/certs.d/${host}/ca.crt`
    const file = canonicalFile(name, registry.ca, [...at, 'ca'], context)
    return file === undefined ? [] : [[name, file] as [string, NodeFile]]
  })
}
