import { Writable } from 'node:stream'
import type { WebSocket } from 'ws'

const normalClosure = 1000

/** What a watch writes as server-sent events, as messages of a WebSocket: one JSON document each, at the socket's own pace. */
export function socketOutput(socket: WebSocket): Writable {
  const output = new Writable({
    decodeStrings: false,
    write: (chunk: string, _, done) => {
      const data = /^data: (.*)$/m.exec(chunk)?.[1]
      if (data === undefined) done()
      else socket.send(data, (error) => done(error ?? null))
    },
    final: (done) => {
      socket.close(normalClosure)
      done()
    },
  })
  socket.once('close', () => output.destroy())
  // Its caller has gone; nobody is left to be told.
  output.on('error', () => undefined)
  // It says nothing, but its end has to be heard.
  socket.resume()
  return output
}
