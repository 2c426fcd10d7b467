import { endpoints } from '@berth/api/endpoints'
import { decodeExecFrame, type ExecExit, type ExecSize, encodeExecFrame, execChannel } from '@berth/api/exec-frames'

export interface ExecHandlers {
  readonly onOpen: () => void
  readonly onOutput: (bytes: Uint8Array) => void
  readonly onExit: (code: number) => void
  /** The connection ended without an exit code; `message` says why where the server said so. */
  readonly onLost: (message: string | undefined) => void
}

/** A command in an instance, over a WebSocket. The session's cookie says who asks. */
export class ExecSocket {
  readonly #socket: WebSocket
  #over = false
  #problem: string | undefined

  constructor(instance: string, command: readonly string[], size: ExecSize, handlers: ExecHandlers) {
    this.#socket = new WebSocket(execAddress(location, instance, command, size))
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('open', handlers.onOpen)
    this.#socket.addEventListener('message', ({ data }) => this.#receive(new Uint8Array(data), handlers))
    this.#socket.addEventListener('close', ({ reason }) => {
      if (this.#over) return
      this.#over = true
      handlers.onLost(this.#problem ?? (reason === '' ? undefined : reason))
    })
  }

  type(text: string): void {
    this.#send(execChannel.stdin, new TextEncoder().encode(text))
  }

  resize(size: ExecSize): void {
    this.#send(execChannel.resize, new TextEncoder().encode(JSON.stringify(size)))
  }

  close(): void {
    this.#over = true
    this.#socket.close()
  }

  #receive(frame: Uint8Array, handlers: ExecHandlers): void {
    const { channel, payload } = decodeExecFrame(frame)
    if (channel === execChannel.stdout || channel === execChannel.stderr) handlers.onOutput(payload)
    else if (channel === execChannel.error) this.#problem = messageIn(new TextDecoder().decode(payload))
    else if (channel === execChannel.exit && !this.#over) {
      this.#over = true
      handlers.onExit((JSON.parse(new TextDecoder().decode(payload)) as ExecExit).code)
    }
  }

  #send(channel: (typeof execChannel)[keyof typeof execChannel], payload: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(new Uint8Array(encodeExecFrame(channel, payload)))
  }
}

export function execAddress(
  { protocol, host }: { readonly protocol: string; readonly host: string },
  instance: string,
  command: readonly string[],
  { columns, rows }: ExecSize,
): string {
  const query = new URLSearchParams(command.map((word) => ['command', word]))
  query.set('tty', 'true')
  query.set('columns', String(columns))
  query.set('rows', String(rows))
  const path = endpoints.exec.path.replace(':id', encodeURIComponent(instance))
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}${path}?${query}`
}

/** An error frame holds the body of an API error, or just its text. */
function messageIn(text: string): string {
  try {
    const body = JSON.parse(text)
    return body.error?.message ?? body.message ?? text
  } catch {
    return text
  }
}
