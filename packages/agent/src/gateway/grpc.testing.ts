import type { Certificate } from '@berth/core'
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js'

/** Every message is a text. */
const toBytes = (text: string): Buffer => Buffer.from(text)
const toText = (bytes: Buffer): string => bytes.toString()
const coding = {
  requestSerialize: toBytes,
  requestDeserialize: toText,
  responseSerialize: toBytes,
  responseDeserialize: toText,
}
const service = 'berth.test.Echo'
const methods = {
  /** Answers with its name and the request; `fail N` ends with that status, `wait` never answers. */
  say: { path: `/${service}/Say`, requestStream: false, responseStream: false, ...coding },
  /** As many messages as the request says. */
  count: { path: `/${service}/Count`, requestStream: false, responseStream: true, ...coding },
  /** Each message comes back at once. */
  talk: { path: `/${service}/Talk`, requestStream: true, responseStream: true, ...coding },
}

export interface GrpcMember extends AsyncDisposable {
  readonly port: number
  /** Methods that were called, with the metadata of each. */
  readonly seen: { readonly method: string; readonly metadata: Metadata }[]
  /** Cuts everything off. */
  kill(): void
}

/** A member that serves gRPC without TLS, at `port` or a free one. */
export async function openGrpcMember(name: string, given = 0): Promise<GrpcMember> {
  const server = new Server()
  const seen: { method: string; metadata: Metadata }[] = []
  const note = (method: string, { metadata }: { readonly metadata: Metadata }) => seen.push({ method, metadata })
  server.addService(methods, {
    say(call: ServerUnaryCall<string, string>, answer: (error: Partial<ServiceError> | null, reply?: string) => void) {
      note('say', call)
      const [, code] = /^fail (\d+)$/.exec(call.request) ?? []
      if (call.request === 'wait') return
      if (code !== undefined) answer({ code: Number(code), details: 'as asked' })
      else answer(null, `${name}: ${call.request}`)
    },
    count(call: ServerWritableStream<string, string>) {
      note('count', call)
      for (let index = 1; index <= Number(call.request); index++) call.write(String(index))
      const trailer = new Metadata()
      trailer.set('counted-by', name)
      call.end(trailer)
    },
    talk(call: ServerDuplexStream<string, string>) {
      note('talk', call)
      call.on('data', (text: string) => call.write(`${name}: ${text}`))
      call.on('end', () => call.end())
      call.on('error', () => {})
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${given}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return { port, seen, kill: () => server.forceShutdown(), [Symbol.asyncDispose]: async () => server.forceShutdown() }
}

export interface GrpcClient extends Disposable {
  say(text: string, given?: { readonly deadlineMs?: number }): Promise<string>
  /** Every message, and how it ended. */
  count(many: number): Promise<{ readonly messages: readonly string[]; readonly end: StatusObject }>
  talk(): Talk
}

/** One stream both ways. */
export interface Talk {
  /** The answer to this message, which comes before anything else is said. */
  ask(text: string): Promise<string>
  end(): void
  cancel(): void
  readonly ended: Promise<StatusObject>
}

/** A client by TLS that trusts this certificate alone. */
export function openGrpcClient(port: number, { certificatePem }: Certificate, host: string): GrpcClient {
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(certificatePem)), {
    'grpc.ssl_target_name_override': host,
    'grpc.default_authority': host,
    'grpc.enable_retries': 0,
  })
  const { say, count, talk } = methods
  return {
    say: (text, { deadlineMs } = {}) =>
      new Promise((resolve, reject) => {
        const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs }
        const _: ClientUnaryCall = client.makeUnaryRequest(
          ...([say.path, toBytes, toText, text, new Metadata(), options] as const),
          (error: ServiceError | null, reply?: string) => (error === null ? resolve(reply ?? '') : reject(error)),
        )
      }),
    async count(many) {
      const call: ClientReadableStream<string> = client.makeServerStreamRequest(
        count.path,
        toBytes,
        toText,
        String(many),
      )
      const ended = endOf(call)
      const messages: string[] = []
      call.on('data', (text: string) => messages.push(text))
      return { end: await ended, messages }
    },
    talk: () => talkOver(client.makeBidiStreamRequest(talk.path, toBytes, toText)),
    [Symbol.dispose]: () => client.close(),
  }
}

function endOf(call: ClientReadableStream<string> | ClientDuplexStream<string, string>): Promise<StatusObject> {
  call.on('error', () => {})
  return new Promise((resolve) => call.on('status', resolve))
}

function talkOver(call: ClientDuplexStream<string, string>): Talk {
  const ended = endOf(call)
  return {
    ended,
    ask: async (text) => {
      const answer = new Promise<string>((resolve) => call.once('data', resolve))
      call.write(text)
      const over = ended.then(({ code }) => {
        throw new Error(`the stream has ended: ${status[code]}`)
      })
      return Promise.race([answer, over])
    },
    end: () => call.end(),
    cancel: () => call.cancel(),
  }
}
