import { BerthError } from '@berth/core'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Reads `0.0.0.0:7600`, `[::]:7600`. Throws `server.invalid-listen`. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new BerthError(
      'server.invalid-listen',
      `${JSON.stringify(text)} is no address to listen at; write address:port, e.g. 0.0.0.0:7600 or [::]:7600`,
    )
  }
  return { host: match[1] ?? match[2] ?? '', port }
}
