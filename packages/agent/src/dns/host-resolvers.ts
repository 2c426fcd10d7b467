import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'

const maxResolvers = 3
const pollIntervalMs = 2000

/**
 * The `nameserver` lines of a resolv.conf, without `own` addresses: asking oneself is a loop. A line that is no address is left out, as
 * the libc does.
 */
export function parseResolvConf(text: string, own: readonly string[]): string[] {
  const addresses = text.split('\n').flatMap((line) => {
    const [keyword, address = ''] = line.trim().split(/\s+/)
    return keyword === 'nameserver' && isIP(address) !== 0 && !own.includes(address) ? [address] : []
  })
  return [...new Set(addresses)].slice(0, maxResolvers)
}

/** Tells the host's resolvers at once and whenever they change; none when the file is missing. */
export async function watchHostResolvers(
  path: string,
  own: readonly string[],
  tell: (addresses: readonly string[]) => void,
): Promise<Disposable> {
  let told: string | undefined
  const read = async () => {
    const addresses = parseResolvConf(await readFile(path, 'utf8').catch(() => ''), own)
    if (told === addresses.join()) return
    told = addresses.join()
    tell(addresses)
  }
  // Polled, since resolv.conf is mostly a link that others replace, across file systems.
  const listener = () => void read()
  watchFile(path, { interval: pollIntervalMs, persistent: false }, listener)
  await read()
  return { [Symbol.dispose]: () => unwatchFile(path, listener) }
}
