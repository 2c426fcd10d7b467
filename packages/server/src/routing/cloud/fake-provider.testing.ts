import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CloudRoute } from '@berth/core'

/** A provider of route tables over HTTP, with the bad habits of real ones: late answers, limits, others' entries. */
export class FakeProvider implements AsyncDisposable {
  readonly entries = new Map<string, CloudRoute>()
  readonly calls: string[] = []
  token: string | undefined
  /** How many entries a table takes. */
  quota = 100
  /** So many lists still show what was before a change. */
  staleLists = 0
  /** So many calls are refused for coming too fast. */
  tooFast = 0
  /** So many calls are done, but their answer is lost. */
  lostAnswers = 0
  /** Instead of an answer. */
  broken: string | undefined
  /** Makes the routes what the entries say, where there are real ones behind them. */
  onChange: (entries: readonly CloudRoute[]) => void = () => undefined
  readonly #server: Server
  #shown: CloudRoute[] = []

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async start(address = '127.0.0.1'): Promise<FakeProvider> {
    const provider = new FakeProvider()
    await new Promise<void>((resolve) => provider.#server.listen(0, address, resolve))
    return provider
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `http://${address}:${port}/vpc-1`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://fake')
    this.calls.push(`${request.method} ${decodeURIComponent(url.pathname)}`)
    const [status, body] = this.#decide(request, url, Buffer.concat(chunks).toString())
    if (this.lostAnswers > 0) {
      this.lostAnswers -= 1
      request.socket.destroy()
      return
    }
    const headers = status === 429 ? { 'retry-after': '1' } : {}
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

  #decide(request: IncomingMessage, url: URL, text: string): readonly [number, unknown] {
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`)
      return [403, { message: 'not with this token' }]
    if (this.tooFast > 0) {
      this.tooFast -= 1
      return [429, { message: 'slow down' }]
    }
    if (this.broken !== undefined) return [200, this.broken]
    if (request.method === 'GET' && url.pathname === '/vpc-1/routes') return [200, { routes: this.#list() }]
    const destination = decodeURIComponent(/^\/vpc-1\/routes\/(.+)$/.exec(url.pathname)?.[1] ?? '')
    if (request.method === 'PUT') return this.#put(destination, JSON.parse(text) as Required<CloudRoute>)
    return this.#remove(destination, url.searchParams.get('owner') ?? '')
  }

  #list(): CloudRoute[] {
    if (this.staleLists > 0) {
      this.staleLists -= 1
      return this.#shown
    }
    this.#shown = [...this.entries.values()]
    return this.#shown
  }

  #put(destination: string, { nextHop, owner }: Required<CloudRoute>): readonly [number, unknown] {
    const before = this.entries.get(destination)
    if (before !== undefined && before.owner !== owner) return [409, { message: `the entry of ${before.owner}` }]
    if (before === undefined && this.entries.size >= this.quota)
      return [507, { message: `${this.quota} entries at most` }]
    this.entries.set(destination, { destination, nextHop, owner })
    this.onChange([...this.entries.values()])
    return [200, {}]
  }

  #remove(destination: string, owner: string): readonly [number, unknown] {
    const before = this.entries.get(destination)
    if (before === undefined) return [404, { message: 'no such entry' }]
    if (before.owner !== owner) return [409, { message: `the entry of ${before.owner}` }]
    this.entries.delete(destination)
    this.onChange([...this.entries.values()])
    return [200, {}]
  }
}
