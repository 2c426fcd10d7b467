import { BASE_IMAGE, createLab, type Lab, type LabHost, makeBaseImages } from '../../packages/lab/src/index.ts'
import { type Place, runAt } from './place.ts'

export interface OverlayPlaces extends AsyncDisposable {
  readonly containers: readonly Place[]
}

const network = 'overlay'

const docker = async (host: LabHost, ...args: string[]): Promise<string> =>
  (await runAt({ host, address: host.address }, ['docker', ...args])).trim()

/** Two engines in Swarm mode with a container each in an overlay network: VXLAN, as Docker joins containers of several hosts. */
export async function startOverlayPlaces(signal: AbortSignal): Promise<OverlayPlaces> {
  const host = { daemonConfig: { 'live-restore': false } }
  const lab = await createLab({ hosts: [host, host], signal })
  try {
    await joinAll(lab)
    return {
      containers: await Promise.all(lab.hosts.map((each) => startContainer(each, signal))),
      [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
    }
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function joinAll(lab: Lab): Promise<void> {
  const [manager, ...workers] = lab.hosts
  if (manager === undefined) return
  await docker(manager, 'swarm', 'init', '--advertise-addr', manager.address)
  const token = await docker(manager, 'swarm', 'join-token', '-q', 'worker')
  for (const worker of workers)
    await docker(
      worker,
      ...['swarm', 'join', '--token', token, '--advertise-addr', worker.address, `${manager.address}:2377`],
    )
  const subnet = lab.containerPool.replace('.0.0/16', '.8.0/24')
  await docker(manager, 'network', 'create', '--driver', 'overlay', '--attachable', '--subnet', subnet, network)
}

async function startContainer(host: LabHost, signal: AbortSignal): Promise<Place> {
  await makeBaseImages(host.dockerHost, { signal })
  const id = await docker(host, 'run', '--detach', '--network', network, BASE_IMAGE, 'sleep', '86400')
  const format = `{{.State.Pid}} {{(index .NetworkSettings.Networks "${network}").IPAddress}}`
  const [pid, address = ''] = (await docker(host, 'inspect', '--format', format, id)).split(' ')
  return { host, address, pid: Number(pid) }
}
