import { decodeExecFrame, type ExecChannel, encodeExecFrame, execChannel } from '@berth/api/exec-frames'
import type { WebSocket } from 'ws'

const prompt = '\u001b[36m/app\u001b[0m # '

/** A shell that knows `echo`, `size` and `exit`. */
export function serveExec(socket: WebSocket, columns: string, rows: string): void {
  let line = ''
  let size = `${columns}x${rows}`
  const send = (channel: ExecChannel, text: string) =>
    socket.send(encodeExecFrame(channel, new TextEncoder().encode(text)))
  const run = (command: string) => {
    const [name, ...words] = command.trim().split(/\s+/)
    if (name === 'exit') {
      send(execChannel.exit, JSON.stringify({ code: Number(words[0] ?? 0) }))
      return socket.close(1000)
    }
    if (name === 'echo') send(execChannel.stdout, `${words.join(' ')}\r\n`)
    else if (name === 'size') send(execChannel.stdout, `${size}\r\n`)
    else if (name === 'ls') send(execChannel.stdout, 'node_modules  package.json  server.ts  worker.ts\r\n')
    else if (name !== '') send(execChannel.stdout, `sh: ${name}: not found\r\n`)
    send(execChannel.stdout, prompt)
  }
  send(execChannel.stdout, prompt)
  socket.on('message', (data: Buffer) => {
    const { channel, payload } = decodeExecFrame(data)
    const text = Buffer.from(payload).toString()
    if (channel === execChannel.resize) {
      const { columns: width, rows: height } = JSON.parse(text)
      size = `${width}x${height}`
    } else if (channel === execChannel.stdin) {
      for (const char of text) {
        if (char === '\r') {
          send(execChannel.stdout, '\r\n')
          run(line)
          line = ''
        } else if (char === '\u007f') {
          if (line !== '') send(execChannel.stdout, '\b \b')
          line = line.slice(0, -1)
        } else {
          line += char
          send(execChannel.stdout, char)
        }
      }
    }
  })
}
