import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { checkEnrolment, enrol } from '../../packages/agent/src/link/enrol.ts'
import { messageOf } from '../../packages/core/src/index.ts'
import { SimulatedFleet } from '../../packages/lab/src/simulated/index.ts'

const joinOptions = { server: { type: 'string' }, node: { type: 'string' }, address: { type: 'string' } } as const

/** What a machine says that is to join: as `call-agent.sh` does. */
interface Call {
  readonly machine: string
  readonly args: readonly string[]
  readonly token: string
}

export interface StubAgentsOptions {
  /** Where machines reach them. */
  readonly host: string
  /** The agent port of the server. */
  readonly server: { readonly host: string; readonly port: number }
  /** The state directory of a machine, as this process sees it. */
  readonly stateDirOf: (machine: string) => string
}

/**
 * The agents of machines that have a stub in place of the executable. They join by the agent's own code, with the token that came over SSH,
 * and keep a link each by the real protocol.
 */
export class StubAgents implements AsyncDisposable {
  /** Machines that cannot join, whatever the reason. */
  readonly refusing = new Set<string>()
  /** How often each has joined, and has been told to. */
  readonly joins = new Map<string, number>()
  calls = 0
  readonly #options: StubAgentsOptions
  readonly #fleet: SimulatedFleet
  readonly #listener: Server

  private constructor(options: StubAgentsOptions) {
    this.#options = options
    this.#fleet = new SimulatedFleet({ servers: [options.server], nodes: [] })
    this.#listener = createServer((socket) => void this.#serve(socket))
  }

  static async start(options: StubAgentsOptions): Promise<StubAgents> {
    const agents = new StubAgents(options)
    agents.#listener.listen(0, options.host)
    await once(agents.#listener, 'listening')
    return agents
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  get linked(): number {
    return this.#fleet.linked
  }

  async #serve(socket: Socket): Promise<void> {
    socket.on('error', () => undefined)
    const lines: string[] = []
    for await (const line of createInterface(socket)) {
      lines.push(line)
      if (lines.length === 3) break
    }
    const [machine = '', args = '', token = ''] = lines
    const say = (line: string): void => void socket.write(`${line}\n`)
    try {
      say(`✔ ${await this.#join({ machine, args: args.split('\t').slice(0, -1), token })}`)
      say('end 0')
    } catch (error) {
      say(`error: ${messageOf(error)}`)
      say('end 1')
    }
    socket.end()
  }

  async #join({ machine, args, token }: Call): Promise<string> {
    this.calls += 1
    if (this.refusing.has(machine)) throw new Error('nothing goes today')
    const { values } = parseArgs({ args: [...args], strict: false, options: joinOptions })
    const server = String(values.server)
    if (token === '') return `${machine} is a node of this cluster already`
    const wish = { server, token, name: String(values.node), address: String(values.address), labels: {} }
    const { problems } = await checkEnrolment(wish)
    if (problems[0] !== undefined) throw new Error(problems[0].message)
    const identity = await enrol({ ...wish, stateDir: this.#options.stateDirOf(machine) })
    await this.#fleet.add(identity).start()
    this.joins.set(machine, (this.joins.get(machine) ?? 0) + 1)
    return `${identity.name} has joined the cluster of ${server}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close()
    await this.#fleet[Symbol.asyncDispose]()
  }
}
