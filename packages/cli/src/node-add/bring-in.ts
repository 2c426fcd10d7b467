import { setTimeout as delay } from 'node:timers/promises'
import type { Client, NodeView } from '@berth/api'
import {
  BerthError,
  type Finding,
  fairServerTime,
  judgeMachine,
  type MachineFacts,
  type MachineWish,
  proposeName,
} from '@berth/core'
import { lastWords as lastWordsOfLog } from '@berth/host'
import { plannedSteps } from '../commands/node-join.ts'
import { refuseMachine } from '../commands/print-findings.ts'
import type { HostKeyPolicy } from '../ssh/host-key.ts'
import type { SshKeys } from '../ssh/ssh-login.ts'
import { formatSshTarget } from '../ssh/ssh-target.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { copyExecutable } from './copy-executable.ts'
import type { Executable } from './executable.ts'
import type { MachineEntry } from './machine-entry.ts'
import { MachineLine } from './machine-line.ts'
import type { PackedExecutable } from './packed-executable.ts'
import type { RemoteMachine } from './remote-machine.ts'

export interface BringInOptions {
  readonly client: Client
  readonly cluster: ClusterFacts
  readonly executable: Executable
  /** For more than one machine. */
  readonly packed?: PackedExecutable
  readonly keys: SshKeys
  /** Names that machines of this run have taken, and which of them. */
  readonly names: Map<string, string>
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
const lookAgainMs = { first: 100, most: 1_000 }
const joinTimeoutMs = 30 * 60_000
const tokenTtlMs = 60 * 60_000
/** A broken connection is dialled again so often: each time the copy goes on from what is there. */
const reconnects = 3
const reconnectPauseMs = 1_000

/** Makes one machine a node, with nothing but SSH. Every step may be repeated, and so may the whole. */
export class BringIn {
  readonly #entry: MachineEntry
  readonly #options: BringInOptions
  readonly #line: MachineLine

  constructor(entry: MachineEntry, options: BringInOptions) {
    this.#entry = entry
    this.#options = options
    this.#line = new MachineLine(entry, options)
  }

  async run(): Promise<BroughtIn> {
    await using _ = this.#line
    return await this.#run()
  }

  async #run(): Promise<BroughtIn> {
    const { say, dryRun, executable } = this.#options
    say('logs in')
    const looked = await this.#line.with((machine) => this.#look(machine))
    const { node, findings, facts } = looked
    const isNode = facts.identity !== undefined
    const isCurrent = facts.programSha256 === executable.sha256
    const steps = [...(isCurrent ? [] : ['copy the executable']), ...plannedSteps(findings, isNode)]
    refuseMachine(`${this.#entry.target.host} (${node})`, findings, this.#options.install)
    if (dryRun) return { node, findings, steps }
    if (!isCurrent) await this.#copy(facts)
    await this.#join(node, looked.address, isNode)
    await this.#settle(await this.#untilOnline(node))
    return { node, findings, steps }
  }

  async #look(
    machine: RemoteMachine,
  ): Promise<{ facts: MachineFacts; node: string; address: string; findings: Finding[] }> {
    const { say, program, stateDir, dockerSocket, cluster } = this.#options
    say('is looked at')
    const { host, apiPort, agentPort } = cluster
    const before = cluster.nowMs()
    const facts = await machine.survey({ program, stateDir, dockerSocket, server: { host, apiPort, agentPort } })
    const node = this.#entry.node ?? facts.identity?.name ?? proposeName(facts.hostname) ?? 'node'
    const address = this.#entry.address ?? machine.session.address ?? this.#entry.target.host
    this.#claim(node, facts)
    const serverNowMs = fairServerTime(facts.nowMs, before, cluster.nowMs())
    const findings = judgeMachine(facts, { ...this.#wish(machine, facts, node, address), serverNowMs })
    return { facts, node, address, findings: facts.systemd ? findings : withoutStarting(findings, facts) }
  }

  /** Machines that were made of one image have one host name: the second of them is refused before anything is done there. */
  #claim(node: string, { hostname }: MachineFacts): void {
    const { names } = this.#options
    const own = formatSshTarget(this.#entry.target)
    const other = names.get(node) ?? own
    names.set(node, other)
    if (other === own) return
    const why = this.#entry.node === undefined ? ` (its host name is ${hostname})` : ''
    throw new BerthError(
      'node.exists',
      `${own} would be node ${node}${why}, and so would ${other}; give each a name of its own: \`node\` in the inventory, or --node, or another host name there`,
    )
  }

  #wish(machine: RemoteMachine, facts: MachineFacts, node: string, address: string): MachineWish {
    const { stateDir, dockerSocket, cluster, executable } = this.#options
    const { gateway, httpPort, httpsPort } = this.#entry
    const other = cluster.nodes.get(node)
    return {
      ...{ node, stateDir, dockerSocket, clusters: cluster.authorities },
      server: cluster,
      program: executable,
      ...(gateway ? { gateway: { httpPort, httpsPort } } : {}),
      root: machine.isRoot ? 'yes' : machine.way === 'no-sudo' ? 'no-sudo' : 'sudo-refused',
      ...(facts.identity === undefined ? {} : { isKnownNode: cluster.nodes.has(facts.identity.name) }),
      nameTaken: other !== undefined && !isHalfJoined(other, address),
    }
  }

  /** Dials again when the line breaks, as long as it goes on. */
  async #copy(facts: MachineFacts): Promise<void> {
    const { say, executable, program, signal, packed: ready } = this.#options
    const packed = facts.programs.has('gzip')
    const onProgress = (bytes: number) =>
      say('gets the executable', `${Math.floor((bytes / executable.bytes) * 100)} %`)
    for (let left = reconnects; ; left -= 1) {
      try {
        return await this.#line.with((machine) =>
          copyExecutable(machine, executable, {
            ...{ to: program, packed, onProgress },
            ...(ready === undefined ? {} : { packedFile: () => ready.file() }),
          }),
        )
      } catch (error) {
        signal.throwIfAborted()
        if (left === 0 || !(error instanceof BerthError) || error.code !== 'ssh.lost') throw error
        await delay(reconnectPauseMs, undefined, { signal })
      }
    }
  }

  /** The program there does it, by the same checks as when somebody calls it there. The token goes by standard input. */
  async #join(node: string, address: string, isNode: boolean): Promise<void> {
    const { say, program, cluster, install, stateDir, dockerSocket } = this.#options
    const { labels, gateway, network, httpPort, httpsPort } = this.#entry
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
      ...(network === undefined ? [] : ['--network', network]),
      ...(install ? ['--install'] : []),
    ]
    const onErrorLine = (line: string) => say('joins', line.replace(/^\S\s/, ''))
    const ended = await this.#line.with((machine) =>
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

  async #untilOnline(name: string): Promise<NodeView> {
    const { client, signal, say } = this.#options
    say('comes online')
    const deadline = performance.now() + onlineTimeoutMs
    for (let pauseMs = lookAgainMs.first; ; pauseMs = Math.min(pauseMs * 2, lookAgainMs.most)) {
      const node = await client.call('getNode', { params: { name } }, { signal })
      if (node.online) return node
      if (performance.now() > deadline) throw await this.#notOnline(name)
      await delay(pauseMs, undefined, { signal })
    }
  }

  async #notOnline(node: string): Promise<BerthError> {
    const log = `${this.#options.stateDir}/logs/agent.log`
    const script =
      'if [ -f "$1" ]; then tail -n 30 "$1" | cut -c1-2000; else journalctl -u berth-agent -n 30 -o cat; fi'
    const said = await this.#line.with((machine) => machine.run(['sh', '-c', script, 'sh', log])).catch(() => undefined)
    const words = lastWordsOfLog(said?.stdout ?? '')
    const tail = words === '' ? '' : `; its agent's last words: ${words}`
    return new BerthError(
      'node.not-online',
      `${node} has joined, but its agent was not heard of within ${onlineTimeoutMs / 1000} s${tail}; see ${log} there, then repeat the command`,
    )
  }

  /** What holds for a node that was there before as well. */
  async #settle(found: NodeView): Promise<void> {
    const { client, signal } = this.#options
    const { group, labels } = this.#entry
    const { name } = found
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
