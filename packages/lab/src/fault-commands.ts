import { parseArgs } from 'node:util'
import { BerthError } from '@berth/core'
import { parseOffset } from './host-clock.ts'
import { type HostPart, hostParts } from './host-part.ts'
import type { LabHost } from './lab.ts'
import { parseCut } from './link-faults.ts'
import { startRelay } from './relay.ts'

export const faultUsage = `  link HOST [--loss-in PERCENT] [--loss-out PERCENT] [--cut [in,|out,]ADDRESS[:PORT]]...
                                                its cable loses packets, or is cut towards one address or port; nothing: well again
  clock HOST +5h                                programs of a host made with --own-clock see another time
  pause | resume | kill | restart   HOST PART   ${hostParts.join(', ')}
  relay LISTEN:PORT TO:PORT [--delay MS] [--rate BYTES]   a late or slow line for TCP, until Ctrl-C
`

export const faultOptions = {
  'loss-in': { type: 'string' },
  'loss-out': { type: 'string' },
  cut: { type: 'string', multiple: true },
} as const

export interface FaultOptions {
  readonly 'loss-in'?: string | undefined
  readonly 'loss-out'?: string | undefined
  readonly cut?: readonly string[] | undefined
}

type HostCommand = (host: LabHost, rest: readonly string[], options: FaultOptions) => Promise<void>

/** What befalls one host. */
export const faultCommands: Readonly<Record<string, HostCommand>> = {
  link: (host, _rest, options) =>
    host.setLinkFaults({
      ...(options['loss-in'] === undefined ? {} : { lossIn: Number(options['loss-in']) }),
      ...(options['loss-out'] === undefined ? {} : { lossOut: Number(options['loss-out']) }),
      cuts: (options.cut ?? []).map(parseCut),
    }),
  clock: (host, [offset = '']) => host.setClock(parseOffset(offset)),
  pause: (host, [part]) => host.pause(partFrom(part)),
  resume: (host, [part]) => host.resume(partFrom(part)),
  kill: (host, [part]) => host.kill(partFrom(part)),
  restart: (host, [name]) => {
    const part = partFrom(name)
    if (part === 'dockerd' || part === 'supervisor')
      throw new BerthError(
        'lab.usage',
        `restart ${part}: nobody would start it again; there is dockerd-kill and dockerd-start`,
      )
    return host.restart(part)
  },
}

function partFrom(name: string | undefined): HostPart {
  const found = hostParts.find((part) => part === name)
  if (found !== undefined) return found
  throw new BerthError('lab.usage', `${name ?? 'PART is missing'}: there are ${hostParts.join(', ')}`)
}

/** `lab relay`: until it is interrupted. */
export async function relayCommand(args: readonly string[]): Promise<number> {
  const options = { delay: { type: 'string', default: '0' }, rate: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options })
  const [near, far] = positionals.map(placeFrom)
  if (near === undefined || far === undefined)
    throw new BerthError('lab.usage', `relay: say where it listens and where it leads to\n${faultUsage}`)
  const rate = values.rate === undefined ? {} : { bytesPerSecond: Number(values.rate) }
  await using relay = await startRelay({
    ...{ to: far, listen: near.address, port: near.port, delayMs: Number(values.delay) },
    ...rate,
  })
  console.log(`${near.address}:${relay.port} leads to ${far.address}:${far.port}, ${values.delay} ms late each way`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  return 0
}

function placeFrom(text: string): { readonly address: string; readonly port: number } {
  const match = /^(.+):(\d{1,5})$/.exec(text)
  if (match === null) throw new BerthError('lab.usage', `${text}: write it as ADDRESS:PORT`)
  return { address: match[1] ?? '', port: Number(match[2]) }
}
