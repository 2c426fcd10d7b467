import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BerthError, messageOf } from '@berth/core'
import type { AnyAuthMethod, Client, ClientChannel } from 'ssh2'
import { checkHostKey, type HostKeyPolicy, preferredTypes } from './host-key.ts'
import { shellWords } from './shell-words.ts'
import { loginMethods, type SshKeys, type SshLogin } from './ssh-login.ts'
import { formatSshTarget, type SshTarget } from './ssh-target.ts'

export interface SshOptions {
  readonly login: SshLogin
  /** Of other sessions that log in by the same keys. */
  readonly keys?: SshKeys
  readonly hostKey: HostKeyPolicy
  readonly connectTimeoutMs?: number
  readonly signal: AbortSignal
}

export interface SshRun {
  /** The exit code; 128 and more for a signal. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** Told every whole line of standard error as it comes. */
  readonly onErrorLine?: (line: string) => void
  readonly timeoutMs?: number
}

const keepaliveMs = 10_000
/** A person who is asked about a key takes longer than any machine. */
const askTimeoutMs = 180_000
const maxOutputBytes = 1024 * 1024

/** One connection to a machine. */
export class SshSession implements AsyncDisposable {
  readonly target: SshTarget
  /** The address that was dialled. */
  readonly address: string | undefined
  readonly #client: Client
  readonly #signal: AbortSignal
  readonly #lost: Promise<never>
  #why = 'the connection was closed'

  private constructor(target: SshTarget, client: Client, signal: AbortSignal) {
    this.target = target
    this.#client = client
    this.#signal = signal
    this.address = (client as unknown as { _sock?: { remoteAddress?: string } })._sock?.remoteAddress
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => undefined)
    this.#lost = lost.promise
    client.on('error', (error) => {
      this.#why = error.message
    })
    client.once('close', () => lost.reject(this.#failure()))
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  /** Throws `ssh.unreachable`, `ssh.login-failed`, `ssh.key-unreadable` and what {@link checkHostKey} throws. */
  static async open(target: SshTarget, options: SshOptions): Promise<SshSession> {
    options.signal.throwIfAborted()
    const methods = await loginMethods(target.user, options.login, options.keys)
    const { default: ssh2 } = await import('ssh2')
    const client = new ssh2.Client()
    try {
      await connect(client, target, methods, options)
      return new SshSession(target, client, options.signal)
    } catch (error) {
      client.on('error', () => undefined)
      client.destroy()
      options.signal.throwIfAborted()
      throw error
    }
  }

  /** Runs a program to its end. Throws `ssh.lost` when the connection breaks first. */
  async run(
    argv: readonly string[],
    { input = '', onErrorLine, timeoutMs = 120_000 }: RunOptions = {},
  ): Promise<SshRun> {
    this.#signal.throwIfAborted()
    const { channel, code } = await Promise.race([this.#exec(shellWords(argv)), this.#lost])
    const late = timeout(
      timeoutMs,
      () =>
        new BerthError(
          'ssh.timeout',
          `${formatSshTarget(this.target)}: ${argv[0]} did not end within ${timeoutMs / 1000} s`,
        ),
    )
    try {
      return await Promise.race([collect(channel, { input, onErrorLine, code }), this.#lost, late.promise])
    } finally {
      late.stop()
      channel.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#client.end()
    this.#client.destroy()
  }

  readonly #abort = (): void => void this.#client.destroy()

  #exec(command: string): Promise<Running> {
    return new Promise((resolve, reject) => {
      try {
        this.#client.exec(command, (error, channel) =>
          error === undefined
            ? resolve({ channel, code: exitCode(channel, () => this.#failure()) })
            : reject(this.#failure(error)),
        )
      } catch (error) {
        reject(this.#failure(error))
      }
    })
  }

  #failure(cause?: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason
    const why = cause === undefined ? this.#why : messageOf(cause)
    return new BerthError('ssh.lost', `the connection to ${formatSshTarget(this.target)} broke: ${why}`, {
      retryable: true,
    })
  }
}

function connect(client: Client, target: SshTarget, methods: AnyAuthMethod[], options: SshOptions): Promise<void> {
  const { host, port, user } = target
  const { hostKey, connectTimeoutMs = 20_000 } = options
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let refusal: unknown
  const abort = (): void => reject(options.signal.reason)
  options.signal.addEventListener('abort', abort, { once: true })
  client.once('ready', resolve)
  client.on('error', (error) => reject(refusal ?? connectFailure(target, methods, error)))
  client.once('close', () => reject(refusal ?? connectFailure(target, methods, new Error('the connection was closed'))))
  client.connect({
    ...{
      host,
      port,
      username: user,
      readyTimeout: hostKey.ask === undefined ? connectTimeoutMs : askTimeoutMs,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: 3,
    },
    algorithms: { serverHostKey: preferredTypes(host, port, hostKey.knownHosts) as never },
    hostVerifier: (key: Buffer, verify: (isGood: boolean) => void) => {
      checkHostKey(host, port, key, hostKey).then(
        () => verify(true),
        (error: unknown) => {
          refusal = error
          verify(false)
        },
      )
    },
    authHandler: [{ type: 'none', username: user }, ...methods],
  })
  return promise.finally(() => options.signal.removeEventListener('abort', abort))
}

function connectFailure(
  target: SshTarget,
  methods: readonly AnyAuthMethod[],
  error: Error & { level?: string },
): BerthError {
  const place = formatSshTarget(target)
  if (error.level === 'client-authentication') {
    const tried =
      [...new Set(methods.map(({ type }) => type))].join(', ') || 'nothing, for there is no key and no password'
    return new BerthError(
      'ssh.login-failed',
      `log in as ${place}: it lets nobody in by what was tried (${tried}); give --key FILE, --password-file FILE, or start ssh-agent`,
    )
  }
  return new BerthError(
    'ssh.unreachable',
    `connect to ${place} by SSH: ${error.message}; check the address, the port and that sshd runs there`,
    { retryable: true, cause: error },
  )
}

interface Running {
  readonly channel: ClientChannel
  readonly code: Promise<number>
}

/** To be called as soon as the channel is there: its whole life may come in one packet, and then is told of within the same turn. */
function exitCode(channel: ClientChannel, lost: () => unknown): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  promise.catch(() => undefined)
  channel.once('exit', (code: number | null, signal?: string) => resolve(code ?? (signal === undefined ? 255 : 143)))
  // Whoever ends says how: without that it is the connection that has ended, though nobody may have said so yet.
  channel.once('close', () => reject(lost()))
  return promise
}

interface Collecting {
  readonly input: NonNullable<RunOptions['input']>
  readonly onErrorLine: RunOptions['onErrorLine']
  readonly code: Promise<number>
}

async function collect(channel: ClientChannel, { input, onErrorLine, code }: Collecting): Promise<SshRun> {
  const stdout = gather(channel)
  const stderr = gather(channel.stderr, onErrorLine)
  for (const each of [stdout, stderr]) each.catch(() => undefined)
  const source =
    typeof input === 'string'
      ? Readable.from([Buffer.from(input)])
      : input instanceof Uint8Array
        ? Readable.from([Buffer.from(input)])
        : input
  // A program that stops reading has ended, or is about to: its exit code and its words tell why.
  const sending = pipeline(source, channel as NodeJS.WritableStream, { end: true }).catch(() => undefined)
  const ended = await code
  const [out, err] = await Promise.all([stdout, stderr])
  void sending
  return { code: ended, stdout: out, stderr: err }
}

async function gather(stream: AsyncIterable<Buffer>, onLine?: (line: string) => void): Promise<string> {
  let text = ''
  let rest = ''
  for await (const chunk of stream) {
    const part = chunk.toString()
    if (text.length < maxOutputBytes) text += part
    if (onLine === undefined) continue
    const lines = (rest + part).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  }
  if (rest !== '') onLine?.(rest)
  return text
}

function timeout(ms: number, reason: () => Error): { readonly promise: Promise<never>; readonly stop: () => void } {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => undefined)
  const timer = setTimeout(() => reject(reason()), ms)
  return { promise, stop: () => clearTimeout(timer) }
}
