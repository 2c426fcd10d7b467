import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Uplink } from '@berth/core'

interface Roots {
  readonly procRoot?: string
  readonly sysRoot?: string
}

/** The interface of the default route, and how fast its driver says that it is. undefined: there is no such route. */
export async function readUplink({ procRoot = '/proc', sysRoot = '/sys' }: Roots = {}): Promise<Uplink | undefined> {
  const name = defaultInterface(await readFile(join(procRoot, 'net/route'), 'utf8').catch(() => ''))
  if (name === undefined) return undefined
  // In millions of bits; −1, or an error, where the driver does not know.
  const speed = Number(await readFile(join(sysRoot, 'class/net', name, 'speed'), 'utf8').catch(() => '-1'))
  return Number.isSafeInteger(speed) && speed > 0 ? { name, bitsPerSecond: speed * 1_000_000 } : { name }
}

/** Of `/proc/net/route`: the default route with the lowest metric. */
function defaultInterface(table: string): string | undefined {
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
  return routes.sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0]
}
