import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { callDocker } from '../packages/lab/src/docker-api.ts'
import { createLab, type Lab, type LabHost } from '../packages/lab/src/index.ts'

export interface SwarmOptions {
  readonly hosts: number
  /** Its id: Swarm asks no registry for it then. */
  readonly image: string
  /** A host that has it. */
  readonly source: LabHost
}

export interface Swarm extends AsyncDisposable {
  /** Returns as soon as Swarm has taken it in. */
  scale(count: number): Promise<void>
  /** Of all tasks that run, on all hosts. */
  addresses(): Promise<string[]>
  /** How many tasks are running, by Swarm's own word: not before their health check has succeeded. */
  running(): Promise<number>
}

const service = 'tiny'
const unmasked = ['--opt', 'com.docker.network.bridge.enable_ip_masquerade=false']

/**
 * Engines of their own in Swarm mode with one service in a network of its own, on which names are answered: a bridge on each host, since
 * not every kernel has the VXLAN of Swarm's overlays, and without one a container costs less. Its addresses are reached by this machine.
 */
export async function startSwarm({ hosts, image, source }: SwarmOptions): Promise<Swarm> {
  const lab = await createLab({ hosts: 0 })
  try {
    for (let index = 0; index < hosts; index++) {
      const host = await lab.addHost({ daemonConfig: { 'live-restore': false } })
      await prepare(lab, host, `${subnetOf(lab, index)}.0/24`)
      await copyImage(source, host, image)
    }
    await joinAll(lab)
    await createService(lab, image)
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
  return {
    scale: (count) => docker(first(lab), ['service', 'scale', '--detach', `${service}=${count}`]).then(() => undefined),
    addresses: async () => (await Promise.all(lab.hosts.map(addressesOn))).flat(),
    running: async () => await runningTasks(first(lab)),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  }
}

const subnetOf = (lab: Lab, index: number): string => lab.containerPool.replace(/\.0\.0\/16$/, `.${index + 1}`)

function first(lab: Lab): LabHost {
  const host = lab.hosts[0]
  if (host === undefined) throw new Error('a swarm without hosts')
  return host
}

async function docker(host: LabHost, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await host.exec(['docker', ...args])
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

async function prepare(lab: Lab, host: LabHost, subnet: string): Promise<void> {
  await docker(host, ['network', 'create', '--config-only', '--subnet', subnet, ...unmasked, 'local'])
  await lab.routeContainers(host, subnet)
  // Docker keeps others than its own containers out.
  const { code, stderr } = await host.exec(['iptables', '-I', 'DOCKER-USER', '-j', 'ACCEPT'])
  if (code !== 0) throw new Error(`iptables: ${stderr}`)
}

const copyImage = async (from: LabHost, to: LabHost, image: string): Promise<void> => {
  const script = 'set -o pipefail; docker -H "$1" save "$3" | docker -H "$2" load'
  await promisify(execFile)('bash', ['-c', script, 'bash', from.dockerHost, to.dockerHost, image])
}

async function joinAll(lab: Lab): Promise<void> {
  const manager = first(lab)
  await docker(manager, ['swarm', 'init', '--advertise-addr', manager.address])
  const token = await docker(manager, ['swarm', 'join-token', '-q', 'worker'])
  for (const host of lab.hosts.slice(1))
    await docker(host, ['swarm', 'join', '--token', token, '--advertise-addr', host.address, `${manager.address}:2377`])
}

async function createService(lab: Lab, image: string): Promise<void> {
  await docker(first(lab), [
    'network',
    'create',
    '--scope',
    'swarm',
    '--driver',
    'bridge',
    '--config-from',
    'local',
    'all',
  ])
  await docker(first(lab), [
    ...[
      'service',
      'create',
      '--quiet',
      '--no-resolve-image',
      '--name',
      service,
      '--endpoint-mode',
      'dnsrr',
      '--network',
      'all',
    ],
    ...['--limit-cpu', '2', '--limit-memory', '64m', '--cap-drop', 'ALL'],
    ...['--health-cmd', 'wget -q -O /dev/null http://127.0.0.1:8080/', '--health-interval', '10s'],
    ...['--log-opt', 'max-size=10m', '--log-opt', 'max-file=3'],
    ...[image, 'httpd', '-f', '-p', '8080', '-h', '/app'],
  ])
}

async function runningTasks(manager: LabHost): Promise<number> {
  const reply = await callDocker(manager.dockerHost, { method: 'GET', path: '/services?status=true' })
  const services = JSON.parse(reply.text) as { readonly ServiceStatus?: { readonly RunningTasks: number } }[]
  return services[0]?.ServiceStatus?.RunningTasks ?? 0
}

interface Listed {
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> }
}

async function addressesOn(host: LabHost): Promise<string[]> {
  const reply = await callDocker(host.dockerHost, { method: 'GET', path: '/containers/json' })
  const containers = JSON.parse(reply.text) as Listed[]
  return containers
    .flatMap(({ NetworkSettings }) => Object.values(NetworkSettings.Networks).map((each) => each.IPAddress))
    .filter((address) => address !== '')
}
