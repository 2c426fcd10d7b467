import { execChannel } from '@berth/api'
import { messageOf } from '@berth/core'
import type { WebSocket } from 'ws'
import type { ExecStream } from '../agents/agent-requests.ts'

const closeCodes = { normal: 1000, unsupportedData: 1003, internalError: 1011 } as const

/**
 * Carries frames between a caller's WebSocket and an agent's stream, as they are, until the command has ended or either side is gone.
 * A side that cannot keep up slows down the other. The socket comes paused, so that nothing typed before the command runs is lost.
 * `onError` is told what went wrong towards the agent.
 */
export async function relayExec(
  socket: WebSocket,
  stream: ExecStream,
  onError: (error: unknown) => void,
): Promise<void> {
  if (socket.readyState !== socket.OPEN) {
    stream.close()
    return
  }
  socket.once('close', () => stream.close())
  relayInput(socket, stream, onError)
  try {
    for await (const frame of stream.frames) {
      if (socket.readyState !== socket.OPEN) return
      await sendFrame(socket, frame)
      if (frame[0] === execChannel.exit) {
        socket.close(closeCodes.normal)
        return
      }
    }
    await endWithError(socket, 'the connection to the command ended without its exit code')
  } catch (error) {
    onError(error)
    await endWithError(socket, messageOf(error))
  } finally {
    stream.close()
  }
}

function relayInput(socket: WebSocket, stream: ExecStream, onError: (error: unknown) => void): void {
  let sending = Promise.resolve()
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) {
      socket.close(closeCodes.unsupportedData, 'frames are binary messages')
      return
    }
    socket.pause()
    sending = sending
      .then(() => stream.send(data))
      .catch(onError)
      .finally(() => socket.resume())
  })
  socket.resume()
}

/** Resolves when the frame has left this process, or cannot any more. */
const sendFrame = (socket: WebSocket, frame: Uint8Array): Promise<void> =>
  new Promise((resolve) => socket.send(frame, { binary: true }, () => resolve()))

/** A last frame says why: the close reason of a WebSocket holds 123 bytes only. */
export async function endWithError(socket: WebSocket, message: string): Promise<void> {
  if (socket.readyState !== socket.OPEN) return
  await sendFrame(socket, Buffer.concat([Buffer.from([execChannel.error]), Buffer.from(message)]))
  socket.close(closeCodes.internalError)
}
