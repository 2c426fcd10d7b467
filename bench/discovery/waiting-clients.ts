/**
 * Many clients of Consul's API that wait, each on a connection of its own. Forked with a JSON of {@link WaitingClients}; says `{ready}` once all
 * wait, and after each change `{arrivedNs, cpuMs}`: when each had its answer by the machine's monotonic clock, and what this process took for that.
 */
import { connect, type Socket } from 'node:net'

export interface WaitingClients {
  readonly port: number
  /** One for each client. */
  readonly paths: readonly string[]
}

export type ClientsMessage =
  | { readonly ready: true }
  | { readonly arrivedNs: readonly string[]; readonly cpuMs: number }

const tell = (message: ClientsMessage): void => void process.send?.(message)

interface Client {
  readonly socket: Socket
  readonly path: string
  text: string
}

function main({ port, paths }: WaitingClients): void {
  let waiting = 0
  let usedBefore = process.cpuUsage()
  let arrived: { readonly client: Client; readonly at: bigint }[] = []
  const ask = ({ socket, path }: Client, index: number): void => {
    socket.write(`GET ${path}?index=${index}&wait=10m HTTP/1.1\r\nHost: bench\r\n\r\n`)
  }
  const askAgain = (client: Client): void => {
    const index = Number(/\r\nX-Consul-Index: (\d+)/.exec(client.text)?.[1])
    client.text = ''
    ask(client, index)
  }
  /** As little as possible is done until all have their answers: it is the server that is measured. */
  const answered = (client: Client): void => {
    arrived.push({ client, at: process.hrtime.bigint() })
    if (arrived.length < paths.length) return
    const all = arrived
    arrived = []
    const { user, system } = process.cpuUsage(usedBefore)
    for (const each of all) askAgain(each.client)
    tell({ arrivedNs: all.map(({ at }) => at.toString()), cpuMs: (user + system) / 1_000 })
    usedBefore = process.cpuUsage()
  }
  const begin = (path: string): void => {
    let isFirst = true
    const socket = connect({ port, host: '127.0.0.1' }, () => ask(client, 0))
    const client: Client = { socket, path, text: '' }
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      client.text += chunk
      // Answers are lists of one key.
      if (!chunk.endsWith(']')) return
      if (!isFirst) return answered(client)
      isFirst = false
      askAgain(client)
      waiting += 1
      if (waiting === paths.length) tell({ ready: true })
    })
    socket.once('error', (error) => {
      process.stderr.write(`client: ${error.message}\n`)
      process.exit(1)
    })
  }
  // Not all at once: connections that nobody has accepted yet are few.
  let next = 0
  const timer = setInterval(() => {
    for (const path of paths.slice(next, next + 50)) begin(path)
    next += 50
    if (next >= paths.length) clearInterval(timer)
  }, 10)
}

main(JSON.parse(process.argv[2] ?? '{}') as WaitingClients)
