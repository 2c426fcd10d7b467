import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TestNamespace } from '../policy/test-namespace.testing.ts'

export interface Answers {
  /** Whose answer it is; empty: none came. */
  readonly name: string
  /** By whom the server was asked, as it sees it. */
  readonly from: string
  /** The connection is over, or was refused. */
  readonly isOver: boolean
}

/** Said first: how long a program takes to start is not how long it is answered. */
const begin = `console.log('begins')`
/** Until its test has ended, or for ten minutes: a busy machine needs more than one for all that a file of tests asks of a server. */
const end = `setTimeout(() => process.exit(), 600000); process.stdin.on('end', () => process.exit()).resume()`
const plain = `const plain = (address) => address.replace('::ffff:', '')`

const server = (name: string, port: number): string => `${begin}
${plain}
const name = ${JSON.stringify(name)}
const tcp = require('node:net').createServer((socket) => {
  socket.on('error', () => {})
  socket.on('data', () => socket.write(JSON.stringify({ name, from: plain(socket.remoteAddress) }) + '\\n'))
}).listen(${port}, '::')
const udp = require('node:dgram').createSocket('udp6')
udp.on('message', (_, { port, address }) => udp.send(JSON.stringify({ name, from: plain(address) }), port, address))
udp.bind(${port}, '::', () => console.log('ready'))
${end}`

const tcpClient = (to: string, port: number): string => `${begin}
const socket = require('node:net').connect({ host: '${to}', port: ${port} })
const over = () => console.log(JSON.stringify({ name: '', from: '', isOver: true }))
let ended = false
socket.on('error', () => {}).on('close', () => { if (!ended) over(); ended = true })
socket.once('connect', () => console.log('ready'))
socket.on('data', (data) => console.log(String(data).trim()))
process.stdin.on('data', () => ended ? over() : socket.write('hello'))
setTimeout(() => process.exit(), 600000); process.stdin.on('end', () => process.exit())`

const udpClient = (to: string, port: number): string => `${begin}
const socket = require('node:dgram').createSocket('${to.includes(':') ? 'udp6' : 'udp4'}')
socket.on('message', (data) => console.log(String(data)))
socket.on('error', () => console.log(JSON.stringify({ name: '', from: '', isOver: true })))
socket.connect(${port}, '${to}', () => console.log('ready'))
process.stdin.on('data', () => socket.send('hello'))
setTimeout(() => process.exit(), 600000); process.stdin.on('end', () => process.exit())`

const startsWithinMs = 30_000

/** A program at one end of connections in a namespace. */
export class StreamPeer {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Answers by TCP and UDP with its name. */
  static async serve(namespace: TestNamespace, name: string, port: number): Promise<StreamPeer> {
    const peer = await StreamPeer.#start(namespace, server(name, port))
    await peer.#next(startsWithinMs)
    return peer
  }

  /** A connection that stays open, or a socket that keeps its port. */
  static async ask(namespace: TestNamespace, protocol: 'tcp' | 'udp', to: string, port: number): Promise<StreamPeer> {
    const peer = await StreamPeer.#start(namespace, protocol === 'tcp' ? tcpClient(to, port) : udpClient(to, port))
    peer.#first = await peer.#next()
    return peer
  }
  #first = ''

  static async #start(namespace: TestNamespace, source: string): Promise<StreamPeer> {
    const [file, args] = namespace.inside(process.execPath, '-e', source)
    const peer = new StreamPeer(spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] }))
    const said = await peer.#next(startsWithinMs)
    if (said !== 'begins') throw new Error(`a program in a namespace has not begun: ${said}`)
    return peer
  }

  /** What is answered, within three seconds. */
  async say(text: string): Promise<Answers> {
    if (this.#first.startsWith('{')) return JSON.parse(this.#first)
    this.#child.stdin?.write(text)
    const line = await this.#next()
    return { isOver: false, ...JSON.parse(line) }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin?.end()
    await closed
  }

  async #next(withinMs = 3_000): Promise<string> {
    const none = new Promise<string>((resolve) => {
      setTimeout(() => resolve(JSON.stringify({ name: '', from: '' })), withinMs).unref()
    })
    const line = this.#lines.next().then(({ value, done }) => (done === true ? '{}' : value))
    return Promise.race([line, none])
  }
}
