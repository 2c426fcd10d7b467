import { BASE_IMAGE, createLab, type Lab, type LabHost, makeBaseImages } from '../../packages/lab/src/index.ts'
import { type Figure, type FigureResult, median } from '../figure.ts'
import { loadNote } from '../network/processor-time.ts'
import { nameInstances, startNetd, startRoutedNetwork } from '../network/routed-network.ts'

const rounds = 10
const containers = 3
const maxMs = 2000

/** Docker asks a network's plugin about it while it boots, and would wait for one that does not answer. */
export const figure: Figure = {
  name: 'dockerd-boot',
  description: `from dockerd's start until it answers, with a routed network and ${containers} containers in it; netd runs, agent and servers do not`,
  unit: 'ms',
  peer: 'the same with a network of its bridge driver and no netd',
  target: `< ${maxMs}`,
  async run(context) {
    await using lab = await createLab({
      hosts: [{ name: 'routed', startDockerd: false }, { name: 'bridge' }],
      signal: context.signal,
    })
    await prepareRouted(lab)
    await prepareBridge(lab)
    const samples: { readonly ours: number; readonly peer: number }[] = []
    for (let round = 1; round <= rounds && !context.signal.aborted; round++) {
      // Each is the first one in turn.
      const early = round % 2 === 0 ? await bootMs(lab.host('bridge')) : undefined
      const ours = await bootMs(lab.host('routed'))
      samples.push({ ours, peer: early ?? (await bootMs(lab.host('bridge'))) })
      context.log(`round ${round} of ${rounds}: ${ours.toFixed(0)} ms, ${samples.at(-1)?.peer.toFixed(0)} ms`)
    }
    return report(samples)
  },
}

async function prepareRouted(lab: Lab): Promise<void> {
  const host = lab.host('routed')
  const addresses = await nameInstances(host, lab.containerPool, containers)
  // It goes on until the lab ends.
  await startNetd(host)
  await host.startDockerd()
  await makeBaseImages(host.dockerHost)
  const network = await startRoutedNetwork(host, lab.containerPool)
  await network.end()
  for (const address of addresses) await startContainer(host, '--network', 'berth', '--ip', address)
}

async function prepareBridge(lab: Lab): Promise<void> {
  const host = lab.host('bridge')
  await makeBaseImages(host.dockerHost)
  await docker(host, 'network', 'create', '--driver', 'bridge', 'plain')
  for (let index = 0; index < containers; index++) await startContainer(host, '--network', 'plain')
}

const startContainer = (host: LabHost, ...options: string[]): Promise<void> =>
  docker(host, 'run', '--detach', ...options, BASE_IMAGE, 'sleep', '86400')

async function docker(host: LabHost, ...args: string[]): Promise<void> {
  const { code, stderr } = await host.exec(['docker', ...args])
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
}

/** Ended and started again, as by an upgrade of Docker; the containers go on. */
async function bootMs(host: LabHost): Promise<number> {
  await host.killDockerd('SIGTERM')
  const from = performance.now()
  await host.startDockerd()
  return performance.now() - from
}

function report(samples: readonly { readonly ours: number; readonly peer: number }[]): FigureResult {
  const ours = samples.map((each) => each.ours)
  const peers = samples.map((each) => each.peer)
  return {
    ...{ ours: median(ours), peer: median(peers), ratio: median(ours) / median(peers) },
    ok: median(ours) < maxMs,
    samples: ours,
    notes: [
      `the slowest ${Math.max(...ours).toFixed(0)} ms, of the other ${Math.max(...peers).toFixed(0)} ms`,
      loadNote(),
    ],
  }
}
