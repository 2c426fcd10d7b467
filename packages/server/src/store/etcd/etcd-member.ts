import { Client, type ClientDuplexStream, status as grpc, Metadata } from '@grpc/grpc-js'
import { EtcdFailure } from './etcd-failure.ts'
import { hostOf, memberCredentials, type TlsFiles } from './member-credentials.ts'
import type { Codec } from './protobuf.ts'

export interface EtcdCall<Q, A> {
  readonly path: string
  readonly request: Codec<Q>
  readonly response: Codec<A>
}

/**
 * The connection notices within 15 s that its other end is gone without a word. etcd allows a ping every 5 s. Names are resolved by the
 * system alone, no proxy is asked, and nothing is sent twice behind our back.
 */
const channelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc-node.flow_control_window': 4 * 1_048_576,
} as const

/** One endpoint of the cluster: its connection, calls and streams. Times are counted by the monotonic clock, not by gRPC's deadlines. */
export class EtcdMember implements Disposable {
  readonly address: string
  readonly #client: Client

  constructor(address: string, tls?: TlsFiles) {
    this.address = address
    const { credentials, options } = memberCredentials(hostOf(address), tls)
    this.#client = new Client(address, credentials, { ...channelOptions, ...options })
  }

  /** Rejects with an {@link EtcdFailure}, or with the signal's reason. */
  ask<Q, A>(call: EtcdCall<Q, A>, question: Q, options: AskOptions): Promise<A> {
    const { token, timeoutMs, signal } = options
    if (signal.aborted) return Promise.reject(signal.reason)
    return new Promise<A>((resolve, reject) => {
      let late = false
      const asked = this.#client.makeUnaryRequest<Q, A>(
        call.path,
        (message) => call.request.encode(message),
        (bytes) => call.response.decode(bytes),
        question,
        metadataOf(token),
        (error, answer) => {
          clearTimeout(timer)
          signal.removeEventListener('abort', cancel)
          if (!error) resolve(answer as A)
          else if (signal.aborted) reject(signal.reason)
          else reject(late ? this.#tooLate(timeoutMs) : new EtcdFailure(error.code, error.details, this.address))
        },
      )
      const cancel = (): void => asked.cancel()
      const timer = setTimeout(() => {
        late = true
        cancel()
      }, timeoutMs)
      signal.addEventListener('abort', cancel, { once: true })
    })
  }

  /** Sends one question, and hands out the answers until the reader stops, the signal comes or the stream ends, which is a failure. */
  async *stream<Q, A>(call: EtcdCall<Q, A>, question: Q, options: StreamOptions): AsyncGenerator<A> {
    const { token, signal, firstWithinMs } = options
    signal.throwIfAborted()
    const stream: ClientDuplexStream<Q, A> = this.#client.makeBidiStreamRequest(
      call.path,
      (message: Q) => call.request.encode(message),
      (bytes: Buffer) => call.response.decode(bytes),
      metadataOf(token),
    )
    // What comes after the last read is of no interest, and must not end the process.
    stream.on('error', () => undefined)
    const cancel = (): void => stream.cancel()
    let late = false
    const timer = setTimeout(() => {
      late = true
      cancel()
    }, firstWithinMs)
    signal.addEventListener('abort', cancel, { once: true })
    try {
      stream.write(question)
      for await (const answer of stream) {
        clearTimeout(timer)
        yield answer
      }
      throw new EtcdFailure(grpc.UNAVAILABLE, 'the stream ended', this.address)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (late) throw this.#tooLate(firstWithinMs)
      throw fromService(error, this.address)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', cancel)
      cancel()
    }
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  #tooLate(timeoutMs: number): EtcdFailure {
    return new EtcdFailure(grpc.DEADLINE_EXCEEDED, `no answer within ${timeoutMs} ms`, this.address)
  }
}

interface AskOptions {
  readonly token: string | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

interface StreamOptions {
  readonly token: string | undefined
  readonly signal: AbortSignal
  readonly firstWithinMs: number
}

function metadataOf(token: string | undefined): Metadata {
  const metadata = new Metadata()
  // A member that was cut off from the others says so instead of keeping quiet.
  metadata.set('hasleader', 'true')
  if (token !== undefined) metadata.set('token', token)
  return metadata
}

function fromService(error: unknown, address: string): unknown {
  const { code, details } = error as { readonly code?: unknown; readonly details?: unknown }
  return typeof code === 'number' && !(error instanceof EtcdFailure)
    ? new EtcdFailure(code, String(details), address)
    : error
}
