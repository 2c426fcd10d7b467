import { once } from 'node:events'
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { Tokens } from '../auth/tokens.ts'
import { TestCluster } from '../controllers/cluster.testing.ts'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import type { ConsulApi } from './consul-api.ts'
import { ConsulListener } from './consul-listener.ts'
import { type DiscoveryParts, openDiscovery } from './open-discovery.ts'

export interface ConsulAnswer {
  readonly status: number
  /** As they were sent, letter by letter. */
  readonly rawHeaders: readonly string[]
  readonly index: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: Consul's answers are looked at field by field.
  readonly json: any
}

/** Controllers on a real store with pretended nodes, and programs made for Consul that call. */
export class DiscoveryUnderTest implements AsyncDisposable {
  readonly cluster: TestCluster
  api!: ConsulApi
  port = 0
  readonly heard = new Map<string, number>()
  #stack = new AsyncDisposableStack()
  #stopping = new AbortController()

  private constructor(cluster: TestCluster) {
    this.cluster = cluster
  }

  static async start(over: Partial<DiscoveryParts> = {}): Promise<DiscoveryUnderTest> {
    const discovery = new DiscoveryUnderTest(await TestCluster.start())
    await discovery.open({ anonymous: 'read', ...over })
    return discovery
  }

  /** As a server that has just been started. */
  async open(over: Partial<DiscoveryParts> = {}): Promise<void> {
    await this.close()
    this.#stack = new AsyncDisposableStack()
    this.#stopping = new AbortController()
    const { records, store } = this.cluster
    this.api = openDiscovery({
      ...{
        records,
        store,
        tokens: new Tokens(records),
        silentMs: () => 0,
        heard: this.heard,
        log: silent,
        name: 'a',
        version: '0.1.0',
      },
      ...{ stack: this.#stack, signal: this.#stopping.signal, ...over },
    })
    const listener = this.#stack.use(
      new ConsulListener(
        (asked, answer) => this.api.handle(asked, answer),
        () => this.api.tellingSince,
      ),
    )
    this.port = await listener.listen({ host: '127.0.0.1', port: 0 })
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#stack.disposeAsync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
    await this.cluster[Symbol.asyncDispose]()
  }

  async token(name: string, role: 'viewer' | 'deployer' | 'admin'): Promise<string> {
    const { text } = await new Tokens(this.cluster.records).create({ name, owner: 'Ann', role }, { actor: 'test' })
    return text
  }

  async ask(
    path: string,
    {
      method = 'GET',
      body,
      headers = {},
    }: { method?: string; body?: string | Buffer; headers?: OutgoingHttpHeaders } = {},
  ): Promise<ConsulAnswer> {
    const call = request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: false })
    call.end(body)
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    const isJson = response.headers['content-type'] === 'application/json'
    return {
      ...{ status: response.statusCode ?? 0, rawHeaders: response.rawHeaders, headers: response.headers, text },
      ...{ index: Number(response.headers['x-consul-index']), json: isJson ? JSON.parse(text) : undefined },
    }
  }
}
