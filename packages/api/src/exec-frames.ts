/**
 * Frames of the exec WebSocket, both ways, each a binary message: one byte of channel, then the payload. The last frame of the
 * server is `exit`, then it closes with 1000. Ctrl-C and the like are bytes on stdin when there is a terminal.
 */
export const execChannel = { stdin: 0, stdout: 1, stderr: 2, exit: 3, resize: 4, stdinEnd: 5, error: 6 } as const
export type ExecChannel = (typeof execChannel)[keyof typeof execChannel]

/** Payload of `resize` (JSON). */
export interface ExecSize {
  readonly columns: number
  readonly rows: number
}

/** Payload of `exit` (JSON). */
export interface ExecExit {
  readonly code: number
}

export function encodeExecFrame(channel: ExecChannel, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(payload.length + 1)
  frame[0] = channel
  frame.set(payload, 1)
  return frame
}

export function decodeExecFrame(frame: Uint8Array): { readonly channel: number; readonly payload: Uint8Array } {
  return { channel: frame[0] ?? -1, payload: frame.subarray(1) }
}
