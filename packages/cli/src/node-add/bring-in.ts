import type { Client, NodeView } from '@berth/api'
import { BerthError, type Finding, judgeMachine, type MachineFacts, type MachineWish, proposeName } from '@berth/core'
import { plannedSteps } from '../commands/node-join.ts'
import { refuseMachine } from '../commands/print-findings.ts'
import type { HostKeyPolicy } from '../ssh/host-key.ts'
import { SshSession } from '../ssh/ssh-session.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { copyExecutable } from './copy-executable.ts'
import type { Executable } from './executable.ts'
import type { MachineEntry } from './machine-entry.ts'
import { RemoteMachine } from './remote-machine.ts'

export interface BringInOptions {
  readonly client: Client
  readonly cluster: ClusterFacts
  readonly executable: Executable
  /** Where the executable goes on machines. */
  readonly program: string
  readonly stateDir: string
  readonly dockerSocket: string
  readonly install: boolean
  readonly dryRun: boolean
  readonly hostKey: Omit<HostKeyPolicy, 'expected'>
  readonly signal: AbortSignal
  /** The step that a machine is at. */
  readonly say: (step: string, detail?: string) => void
}

export interface BroughtIn {
  readonly node: string
  readonly findings: readonly Finding[]
  /** In words, what was done, or would be. */
  readonly steps: readonly string[]
}

const onlineTimeoutMs = 90_000
const lookAgainMs = 250
const joinTimeoutMs = 30 * 60_000
const tokenTtlMs = 60 * 60_000
/** A broken connection is dialled again so often: each time the copy goes on from what is there. */
const reconnects = 3
const reconnectPauseMs = 1_000

/** Makes one machine a node, with nothing but SSH. Every step may be repeated, and so may the whole. */
export class BringIn {
  readonly #entry: MachineEntry
  readonly #options: BringInOptions

  constructor(entry: MachineEntry, options: BringInOptions) {
    this.#entry = entry
    this.#options = options
  }

  async run(): Promise<BroughtIn> {
    const { say, dryRun, executable } = this.#options
    say('logs in')
    const looked = await this.#withMachine((machine) => this.#look(machine))
    const { node, findings, facts } = looked
    const isNode = facts.identity !== undefined
    const isCurrent = facts.programSha256 === executable.sha256
    const steps = [...(isCurrent ? [] : ['copy the executable']), ...plannedSteps(findings, isNode)]
    refuseMachine(`${this.#entry.target.host} (${node})`, findings, this.#options.install)
    if (dryRun) return { node, findings, steps }
    if (!isCurrent) await this.#copy(facts)
    await this.#join(node, looked.address, isNode)
    await this.#untilOnline(node)
    await this.#settle(node)
    return { node, findings, steps }
  }

  async #withMachine<T>(work: (machine: RemoteMachine) => Promise<T>): Promise<T> {
    const { target, login, hostKey, sudoPassword } = this.#entry
    const policy = { ...this.#options.hostKey, ...(hostKey === undefined ? {} : { expected: hostKey }) }
    await using session = await SshSession.open(target, { login, hostKey: policy, signal: this.#options.signal })
    return await work(await RemoteMachine.find(session, sudoPassword))
  }

  async #look(
    machine: RemoteMachine,
  ): Promise<{ facts: MachineFacts; node: string; address: string; findings: Finding[] }> {
    const { say, program, stateDir, dockerSocket, cluster } = this.#options
    say('is looked at')
    const { host, apiPort, agentPort } = cluster
    const facts = await machine.survey({ program, stateDir, dockerSocket, server: { host, apiPort, agentPort } })
    const node = this.#entry.node ?? facts.identity?.name ?? proposeName(facts.hostname) ?? 'node'
    const address = this.#entry.address ?? machine.session.address ?? this.#entry.target.host
    const findings = judgeMachine(facts, this.#wish(machine, facts, node, address))
    return { facts, node, address, findings: facts.systemd ? findings : withoutStarting(findings, facts) }
  }

  #wish(machine: RemoteMachine, facts: MachineFacts, node: string, address: string): MachineWish {
    const { stateDir, dockerSocket, cluster, executable } = this.#options
    const { gateway, httpPort, httpsPort } = this.#entry
    const other = cluster.nodes.get(node)
    return {
      ...{ node, stateDir, dockerSocket, clusters: cluster.authorities, serverNowMs: cluster.nowMs() },
      server: cluster,
      program: executable,
      ...(gateway ? { gateway: { httpPort, httpsPort } } : {}),
      root: machine.isRoot ? 'yes' : machine.way === 'no-sudo' ? 'no-sudo' : 'sudo-refused',
      isKnownNode: facts.identity !== undefined && cluster.nodes.has(facts.identity.name),
      nameTaken: other !== undefined && !isHalfJoined(other, address),
    }
  }

  /** Dials again when the line breaks, as long as it goes on. */
  async #copy(facts: MachineFacts): Promise<void> {
    const { say, executable, program, signal } = this.#options
    const packed = facts.programs.has('gzip')
    const onProgress = (bytes: number) =>
      say('gets the executable', `${Math.floor((bytes / executable.bytes) * 100)} %`)
    for (let left = reconnects; ; left -= 1) {
      try {
        return await this.#withMachine((machine) =>
          copyExecutable(machine, executable, { to: program, packed, onProgress }),
        )
      } catch (error) {
        signal.throwIfAborted()
        if (left === 0 || !(error instanceof BerthError) || error.code !== 'ssh.lost') throw error
        await new Promise((resolve) => setTimeout(resolve, reconnectPauseMs))
      }
    }
  }

  /** The program there does it, by the same checks as when somebody calls it there. The token goes by standard input. */
  async #join(node: string, address: string, isNode: boolean): Promise<void> {
    const { say, program, cluster, install, stateDir, dockerSocket } = this.#options
    const { labels, gateway, httpPort, httpsPort } = this.#entry
    say('joins')
    const token = isNode ? '' : await this.#token(node, address)
    const argv = [
      ...[program, 'node', 'join', '--server', cluster.server, '--node', node, '--address', address],
      ...[
        '--state-dir',
        stateDir,
        '--docker',
        dockerSocket,
        '--http-port',
        String(httpPort),
        '--https-port',
        String(httpsPort),
      ],
      ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
      ...(gateway ? [] : ['--no-gateway']),
      ...(install ? ['--install'] : []),
    ]
    const onErrorLine = (line: string) => say('joins', line.replace(/^\S\s/, ''))
    const ended = await this.#withMachine((machine) =>
      machine.run(argv, { input: token, onErrorLine, timeoutMs: joinTimeoutMs }),
    )
    if (ended.code === 0) return
    const why = lastWords(ended.stderr) || `exit code ${ended.code}`
    throw new BerthError(
      'node.add-failed',
      `${this.#entry.target.host}: berth node join ended: ${why}; mend that and repeat the command`,
    )
  }

  /** What an earlier try has left half-way (the server knows the node, the machine does not) makes room first. */
  async #token(node: string, address: string): Promise<string> {
    const { client, cluster, signal } = this.#options
    const other = cluster.nodes.get(node)
    if (other !== undefined && isHalfJoined(other, address))
      await client.call('removeNode', { params: { name: node } }, { signal })
    const { group } = this.#entry
    const body = { ttlMs: tokenTtlMs, ...(group === undefined ? {} : { group }) }
    return (await client.call('createJoinToken', { body }, { signal })).token
  }

  async #untilOnline(node: string): Promise<void> {
    const { client, signal, say } = this.#options
    say('comes online')
    const deadline = performance.now() + onlineTimeoutMs
    while (!(await client.call('getNode', { params: { name: node } }, { signal })).online) {
      if (performance.now() > deadline) throw await this.#notOnline(node)
      await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
    }
  }

  async #notOnline(node: string): Promise<BerthError> {
    const log = `${this.#options.stateDir}/logs/agent.log`
    const script = 'if [ -f "$1" ]; then tail -n 3 "$1"; else journalctl -u berth-agent -n 3 -o cat; fi'
    const said = await this.#withMachine((machine) => machine.run(['sh', '-c', script, 'sh', log])).catch(
      () => undefined,
    )
    const tail =
      said === undefined || said.stdout.trim() === ''
        ? ''
        : `; its agent's last words: ${said.stdout.trim().replaceAll('\n', ' · ')}`
    return new BerthError(
      'node.not-online',
      `${node} has joined, but its agent was not heard of within ${onlineTimeoutMs / 1000} s${tail}; see ${log} there, then repeat the command`,
    )
  }

  /** What holds for a node that was there before as well. */
  async #settle(name: string): Promise<void> {
    const { client, signal } = this.#options
    const { group, labels } = this.#entry
    const found = await client.call('getNode', { params: { name } }, { signal })
    const isOther = group !== undefined && (found.group ?? 'default') !== group
    const fresh = Object.fromEntries(Object.entries(labels).filter(([key, value]) => found.labels[key] !== value))
    const change = { ...(isOther ? { group } : {}), ...(Object.keys(fresh).length === 0 ? {} : { labels: fresh }) }
    if (Object.keys(change).length > 0) await client.call('updateNode', { params: { name }, body: change }, { signal })
  }
}

/** The server let it in, and nothing has ever come of it: an earlier try ended between the two. */
const isHalfJoined = (node: NodeView, address: string): boolean =>
  !node.online && node.agentVersion === '' && node.instances === 0 && node.address === address

/** Without systemd the supervisor that comes with joining runs it. */
const withoutStarting = (findings: readonly Finding[], facts: MachineFacts): Finding[] =>
  findings.filter(({ kind }) => kind !== 'start' || !facts.programs.has('dockerd'))

const lastWords = (stderr: string): string => {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const at = lines.findLastIndex((line) => line.startsWith('error: '))
  return (at === -1 ? lines.slice(-2) : lines.slice(at)).join(' · ').replace(/^error: /, '')
}
