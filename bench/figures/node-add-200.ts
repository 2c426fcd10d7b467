import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { berthBinary } from '../../e2e/support/cluster.ts'
import { until } from '../../e2e/support/load.ts'
import { ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { createLab } from '../../packages/lab/src/index.ts'
import type { Figure, FigureContext, FigureResult } from '../figure.ts'
import { type Measured, measuredRun } from '../machines/measured-process.ts'
import { StubAgents } from '../machines/stub-agents.ts'
import { type Fault, StubMachines } from '../machines/stub-machines.ts'

const count = 200
const parallel = 20
/** Of this command and the server; what the machines themselves do is not Berth's time, though here they share two cores with it. */
const maxMs = 150
/** By index; `refuses` is a machine on which joining itself fails. */
const faults: Readonly<Record<number, Fault | 'refuses'>> = {
  ...{ 3: 'other-host-key', 17: 'no-login', 40: 'full-disk', 77: 'off', 120: 'refuses', 150: 'no-login' },
  199: 'full-disk',
}
const bad = Object.keys(faults).length

export const figure: Figure = {
  name: 'node-add-200',
  description: `processor time of command and server a machine, of ${count} that one berth node add brings in by an inventory, ${parallel} at a time, ${bad} of them bad`,
  unit: 'ms',
  peer: 'none',
  peerKind: 'none',
  target: `<= ${maxMs}`,
  async run({ signal, log }) {
    await using lab = await createLab({ hosts: [{ startDockerd: false }], signal })
    const api = `${lab.serverAddress}:7600`
    await using server = await ServerProcess.start({
      directory: lab.dir,
      agentPort: 7601,
      config: { listen: api, agentListen: `${lab.serverAddress}:7601` },
    })
    const machines = new StubMachines(lab, count, (index) => {
      const fault = faults[index]
      return fault === 'refuses' ? undefined : fault
    })
    const where = { host: lab.serverAddress, server: { host: lab.serverAddress, port: 7601 } }
    await using agents = await StubAgents.start({
      ...where,
      stateDirOf: (name) => join(machines.machine(name).dir, 'berth'),
    })
    for (const [index, fault] of Object.entries(faults))
      if (fault === 'refuses') agents.refusing.add(`m-${Number(index) + 1}`)
    await machines.start({ host: lab.serverAddress, port: agents.port })
    log(`${count} machines are up`)
    return await measure({ server, machines, agents, api, log, signal })
  },
}

interface Setting extends FigureContext {
  readonly server: ServerProcess
  readonly machines: StubMachines
  readonly agents: StubAgents
  readonly api: string
}

async function measure(setting: Setting): Promise<FigureResult> {
  const { server, machines, agents, log } = setting
  const before = server.cpuSeconds
  const first = await addAll(setting, 'first')
  const serverCpu = server.cpuSeconds - before
  await check(setting, first, { code: 1, online: count - bad })
  refuseUnnamed(machines, first)
  const copied = copies(machines)
  log(`first: ${first.seconds.toFixed(1)} s; again, with everything mended`)
  await machines.mend()
  agents.refusing.clear()
  const second = await addAll(setting, 'second')
  await check(setting, second, { code: 0, online: count })
  const anew = [...copied].filter(([name, inode]) => copies(machines).get(name) !== inode)
  if (copied.size < count - bad || anew.length > 0) throw new Error(`${anew.length} machines got the executable twice`)
  const twice = [...agents.joins.values()].filter((times) => times !== 1).length
  if (twice > 0) throw new Error(`${twice} machines have joined more than once`)
  const ours = ((first.cpuSeconds + serverCpu) / count) * 1000
  return {
    ...{ ours, peer: 0, ratio: 0, ok: ours <= maxMs, samples: [ours] },
    notes: [
      `${first.seconds.toFixed(1)} s in all, ${((first.seconds / count) * 1000).toFixed(0)} ms a machine; ${bad} bad ones named, exit code 1`,
      `berth node add: ${first.cpuSeconds.toFixed(1)} s of processor time, at most ${mib(first.peakRssBytes)} MiB; ${lines(first)} lines said`,
      `server: ${serverCpu.toFixed(1)} s of processor time, RSS ${mib(server.memory.rssBytes)} MiB afterwards`,
      `again, with everything mended: ${second.seconds.toFixed(1)} s, ${second.cpuSeconds.toFixed(1)} s of processor time, ${bad} joined, exit code 0`,
    ],
  }
}

const mib = (bytes: number): number => Math.round(bytes / 1024 ** 2)
const lines = ({ stderr }: Measured): number => stderr.split('\n').length - 1

/** Every bad one has to be in the last lines, with a reason. */
function refuseUnnamed(machines: StubMachines, { stderr }: Measured): void {
  const summary = stderr.split('\n').slice(-2 * bad - 2)
  for (const index of Object.keys(faults)) {
    const { name, address } = machines.all[Number(index)] ?? { name: '', address: '' }
    const said = summary.find((line) => line.startsWith(`✘ root@${address}: `))
    if (said === undefined) throw new Error(`${name} (${address}) is not named:\n${summary.join('\n')}`)
  }
}

async function check(
  { server, agents }: Setting,
  run: Measured,
  wanted: { readonly code: number; readonly online: number },
): Promise<void> {
  if (run.code !== wanted.code) throw new Error(`it ended with ${run.code}: ${run.stderr.slice(-4000)}`)
  await until(`${wanted.online} links`, () => agents.linked === wanted.online)
  const { items } = await server.client.list('listNodes', {})
  const online = items.filter((each) => each.online).length
  if (online !== wanted.online) throw new Error(`${online} nodes are online, and not ${wanted.online}`)
}

/** Which file it is that each machine has; a new one would be another. */
const copies = (machines: StubMachines): Map<string, number> =>
  new Map(
    machines.all.flatMap(({ name, dir }) => {
      const file = statSync(join(dir, 'usr-local/bin/berth'), { throwIfNoEntry: false })
      return file === undefined ? [] : [[name, file.ino]]
    }),
  )

async function addAll({ server, machines, api, signal }: Setting, name: string): Promise<Measured> {
  const inventory = `${machines.stubFile}-hosts.yaml`
  const hosts = machines.all.map(({ address }) => `  - ${address}\n`).join('')
  writeFileSync(inventory, `defaults: {user: root, gateway: false, labels: {site: north}}\nhosts:\n${hosts}`)
  const files = ['--inventory', inventory, '--executable', machines.stubFile, '--key', machines.keyFile]
  const rest = ['--known-hosts', machines.knownHostsFile, '--server', api, '--parallel', String(parallel)]
  const env = { BERTH_SERVER: `unix:${server.socketPath}` }
  const run = await measuredRun([berthBinary, 'node', 'add', ...files, ...rest], { env, signal })
  if (process.env.BERTH_KEEP_LOGS !== undefined)
    writeFileSync(join(process.env.BERTH_KEEP_LOGS, `node-add-${name}.log`), run.stderr)
  return run
}
