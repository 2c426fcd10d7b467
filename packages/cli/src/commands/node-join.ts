import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  BerthError,
  type Finding,
  fairServerTime,
  judgeMachine,
  type MachineFacts,
  type MachineWish,
  packagesOf,
} from '@berth/core'
import {
  bringUp,
  type HostConfig,
  type HostPaths,
  hostPaths,
  installPackages,
  readHostConfig,
  readLinkNote,
  readNoLinkNote,
  refuseDowngrade,
  surveyHere,
  waitFor,
  waitForDocker,
} from '@berth/host'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { readSecret } from '../read-secret.ts'
import { action } from './command.ts'
import { configOf, type HostOptions, machine, stayingAsItIs } from './host-options.ts'
import { printFindings, refuseMachine } from './print-findings.ts'
import { enrol, folderArguments, type Program, runRole } from './run-role.ts'

interface JoinOptions extends HostOptions {
  readonly server: string
  readonly gateway: boolean
  readonly install?: boolean
  readonly dryRun?: boolean
}

/** What the server says of this machine before it joins (`agent check-join`). */
interface JoinCheck {
  readonly now?: number
  readonly agentPort?: number
  readonly problems: readonly { readonly code: string; readonly message: string }[]
}

const linkTimeoutMs = 60_000

export function registerJoin(root: Command, program: Program): void {
  const node = root.commands.find((each) => each.name() === 'node')
  if (node === undefined) return
  machine(node.command('join'))
    .summary('make this machine a node of a cluster; the token is read from standard input or BERTH_JOIN_TOKEN')
    .description(
      'Looks at the machine first and says all that stands in the way at once. Doing it again is harmless, and goes on where it stopped.\nMachines that can be reached by SSH are brought in from anywhere by `berth node add`.',
    )
    .requiredOption('--server <address:port>', "the server's API")
    .option('--no-gateway', 'do not run a gateway here')
    .option('--install', 'install what is missing (apt-get)')
    .option('--dry-run', 'only look and say what would be done')
    .action(
      action<JoinOptions>((context, _, options) => {
        const paths = hostPaths(options.stateDir, options.runDir)
        refuseDowngrade(paths, 'berth node join', root.version() ?? '', options.allowDowngrade === true)
        return new Joining(context, options, program()).run()
      }),
    )
}

/** One run of `node join`. */
class Joining {
  readonly #context: CommandContext
  readonly #options: JoinOptions
  readonly #program: readonly string[]
  readonly #paths: HostPaths
  readonly #startedAt = performance.now()

  constructor(context: CommandContext, options: JoinOptions, program: readonly string[]) {
    this.#context = context
    this.#options = options
    this.#program = program
    this.#paths = hostPaths(options.stateDir, options.runDir)
  }

  async run(): Promise<void> {
    const { out, signal } = this.#context
    const { server, install = false, dryRun = false } = this.#options
    const joined = isNode(this.#paths)
    const token = (process.env.BERTH_JOIN_TOKEN ?? (joined ? '' : await readToken(signal))).trim()
    let config = await this.#config()
    const check = token === '' || joined ? undefined : await this.#askServer(config, token)
    const findings = await this.#look(config, token, check)
    printFindings(findings, out)
    refuseMachine('this machine', findings, install)
    if (dryRun) return this.#sayPlan(findings, joined)
    if (await this.#mend(findings)) {
      config = await this.#config()
      refuseMachine('this machine', await this.#look(config, token, check), false)
    }
    await bringUp({ paths: this.#paths, config, program: this.#program, log: this.#log, signal })
    if (config.superviseDocker) await waitForDocker(config.dockerSocket, this.#paths, signal)
    if (joined) out.note(`${config.node} has joined before; waiting for a server to hear it`)
    else await enrol(this.#paths, config, this.#program, server, token, signal)
    await this.#untilHeard(server, config.node, joined)
    const what = joined ? 'is a node of this cluster already' : `has joined the cluster of ${server}`
    this.#log(`${config.node} ${what}; berth node ls shows it there`)
  }

  #log = (message: string): void => this.#context.out.note(`${this.#context.out.style.green('✔')} ${message}`)

  async #config(): Promise<HostConfig> {
    const config = await configOf(this.#options, this.#paths, false)
    const former = readHostConfig(this.#paths.config)
    if (isNode(this.#paths) && former !== undefined) return stayingAsItIs(config, former)
    if (this.#options.gateway) return { ...config, labels: { gateway: 'true', ...config.labels } }
    const { gateway: _, ...labels } = config.labels
    return { ...config, labels }
  }

  async #askServer(config: HostConfig, token: string): Promise<JoinCheck> {
    const args = ['agent', 'check-join', ...folderArguments(this.#paths), '--server', this.#options.server]
    const question = { token, name: config.node, address: config.address, labels: config.labels }
    const { problem, output } = await runRole(this.#program, args, JSON.stringify(question), this.#context.signal)
    if (problem === '') return JSON.parse(output) as JoinCheck
    throw new BerthError('node.join-failed', `join as ${config.node}: ${problem}`)
  }

  async #look(config: HostConfig, token: string, check: JoinCheck | undefined): Promise<Finding[]> {
    const facts = await this.#survey(config, check)
    const cluster = token.split('.')[1]
    const wish: MachineWish = {
      ...{ node: config.node, stateDir: this.#paths.stateDir, dockerSocket: config.dockerSocket },
      ...(cluster === undefined ? {} : { clusters: [cluster] }),
      ...(check?.now === undefined
        ? {}
        : { serverNowMs: fairServerTime(facts.nowMs, check.now, check.now + performance.now() - this.#startedAt) }),
      ...(check?.agentPort === undefined ? {} : { server: this.#serverPorts(check.agentPort) }),
      ...(config.labels.gateway === 'true' ? { gateway: config.gateway } : {}),
      root: facts.isRoot ? 'yes' : 'no-sudo',
    }
    const said = (check?.problems ?? []).map(({ message }) => {
      const [what = '', ...rest] = message.split('; ')
      return { kind: 'blocked' as const, what, remedy: rest.join('; ') || 'see berth node join --help' }
    })
    return [...judgeMachine(facts, wish), ...said].filter((each) => each.kind !== 'start' || !config.superviseDocker)
  }

  #survey(config: HostConfig, check: JoinCheck | undefined): Promise<MachineFacts> {
    const questions = {
      stateDir: this.#paths.stateDir,
      program: this.#program[0] ?? '',
      dockerSocket: config.dockerSocket,
    }
    const server = check?.agentPort === undefined ? {} : { server: this.#serverPorts(check.agentPort) }
    return surveyHere({ ...questions, ...server }, this.#context.signal)
  }

  #serverPorts(agentPort: number): { host: string; apiPort: number; agentPort: number } {
    const url = new URL(this.#options.server.includes('://') ? this.#options.server : `https://${this.#options.server}`)
    return { host: url.hostname.replace(/^\[|\]$/g, ''), apiPort: Number(url.port || 7600), agentPort }
  }

  /** True when something was done. */
  async #mend(findings: readonly Finding[]): Promise<boolean> {
    const packages = packagesOf(findings)
    if (packages.length > 0) {
      const { packageTool } = await this.#survey(await this.#config(), undefined)
      await installPackages(packageTool, packages, this.#context.signal)
      this.#log(`installed ${packages.join(', ')}`)
    }
    const starts = findings.some(({ kind }) => kind === 'start')
    if (starts) startDocker()
    return packages.length > 0 || starts
  }

  #sayPlan(findings: readonly Finding[], joined: boolean): void {
    const { note } = this.#context.out
    for (const line of plannedSteps(findings, joined)) note(`would ${line}`)
  }

  /** The server has heard of it: what is not so after a minute needs a person, and so does a refusal of a node that has joined before. */
  async #untilHeard(server: string, node: string, joined: boolean): Promise<void> {
    const { stateDir } = this.#paths
    const removed = `if it was removed from the cluster, take Berth off with \`berth down --all --purge\`, remove ${join(stateDir, 'agent', 'node.json')} and join anew`
    const next = joined ? removed : 'the command can be repeated'
    const what = () => `the server at ${server} to hear of this node (${lastSeen(this.#paths)}); ${next}`
    const isHeardOrRefused = (): boolean => {
      if (isHeard(this.#paths)) return true
      if (joined) refuseRefused(node, this.#paths)
      return false
    }
    await waitFor(what, isHeardOrRefused, linkTimeoutMs, this.#context.signal)
  }
}

/** For so long a refusal has to hold: a server that has just started may be about to learn of its nodes. */
const refusalMs = 3_000

/** Throws when a server does not want the agent that runs here. */
export function refuseRefused(node: string, paths: HostPaths, now = Date.now()): void {
  const reason = refusalOf(paths, now)
  if (reason === undefined) return
  throw new BerthError(
    'node.join-failed',
    `join as ${node}: this machine has joined before, and the server lets its agent no longer in: ${reason}`,
  )
}

function refusalOf(paths: HostPaths, now = Date.now()): string | undefined {
  const note = readNoLinkNote(paths)
  return note?.isRefusal === true && now - note.at >= refusalMs ? note.reason : undefined
}

/** How long somebody who has started a node waits to hear whether a server has heard it. */
const heardMs = 5_000

/** In a sentence, whether a server hears the node that has just been started. Throws `node.refused` when it does not want it. */
export async function whetherHeard(node: string, paths: HostPaths, signal: AbortSignal): Promise<string> {
  for (const end = performance.now() + heardMs; performance.now() < end && !isHeard(paths); ) {
    const reason = refusalOf(paths)
    if (reason !== undefined)
      throw new BerthError(
        'node.refused',
        `${node} runs on, with what is in it, and belongs to the cluster no more: the server does not let its agent in: ${reason}`,
      )
    await delay(100, undefined, { signal })
  }
  return isHeard(paths) ? 'berth node ls shows it there' : `no server has heard it yet (${lastSeen(paths)})`
}

/** What the agent that runs here has met last on its way to a server, and where its log is. */
export function lastSeen(paths: HostPaths): string {
  const note = readNoLinkNote(paths)
  const log = `its log: ${paths.logs}/agent.log, or journalctl -u berth-agent`
  return note === undefined ? log : `what its agent met last: ${note.reason}; ${log}`
}

/** By a server, and by the process that runs now. */
export function isHeard(paths: HostPaths): boolean {
  const note = readLinkNote(paths)
  return note !== undefined && existsSync(join('/proc', String(note.pid)))
}

/** It has been let into a cluster, here or elsewhere. */
export const isNode = ({ stateDir }: HostPaths): boolean => existsSync(join(stateDir, 'agent', 'node.json'))

/** What joining would do to a machine, in the order in which it is done. */
export function plannedSteps(findings: readonly Finding[], joined: boolean): string[] {
  const packages = packagesOf(findings)
  return [
    ...(packages.length === 0 ? [] : [`install ${packages.join(', ')}`]),
    ...(findings.some(({ kind }) => kind === 'start') ? ['start Docker'] : []),
    joined
      ? 'start the agent anew where the executable or its settings differ'
      : 'start the agent, and join with a one-time token',
  ]
}

function startDocker(): void {
  const { status, stderr } = spawnSync('systemctl', ['enable', '--now', 'docker'], { encoding: 'utf8' })
  if (status !== 0)
    throw new BerthError(
      'host.systemd-failed',
      `systemctl enable --now docker: ${stderr?.trim() ?? 'systemctl cannot be run'}`,
    )
}

async function readToken(signal: AbortSignal): Promise<string> {
  const text = await readSecret('join token, of `berth node token`', signal)
  if (text.trim() !== '') return text
  throw new BerthError(
    'usage.no-token',
    'no join token came on standard input; an admin makes one with `berth node token`',
  )
}
