import type { Engine } from '../engine/engine.ts'
import type { FileOwner } from './runtime-files.ts'

const root: FileOwner = { uid: 0, gid: 0 }

/**
 * Who a container runs as, in numbers. Names are looked up in the container's own `/etc/passwd` and `/etc/group`, as the runtime does.
 * undefined when the name is not there.
 */
export async function resolveUser(
  engine: Pick<Engine, 'readFile'>,
  containerId: string,
  user: string,
  signal: AbortSignal,
): Promise<FileOwner | undefined> {
  const [name = '', group] = user.split(':')
  if (name === '' || user === 'root' || user === '0') return root
  const read = async (path: string): Promise<string> =>
    (await engine.readFile(containerId, path, { signal }))?.toString('utf8') ?? ''
  const uid = numberOf(name)
  const entry = uid !== undefined && group !== undefined ? undefined : findUser(await read('/etc/passwd'), name, uid)
  const owner = uid ?? entry?.uid
  if (owner === undefined) return undefined
  if (group === undefined) return { uid: owner, gid: entry?.gid ?? 0 }
  const gid = numberOf(group) ?? findGroup(await read('/etc/group'), group)
  return gid === undefined ? undefined : { uid: owner, gid }
}

const numberOf = (text: string): number | undefined => (/^\d+$/.test(text) ? Number(text) : undefined)

function findUser(passwd: string, name: string, uid: number | undefined): FileOwner | undefined {
  for (const line of passwd.split('\n')) {
    const [entry, , id = '', gid = ''] = line.split(':')
    if (entry === name || (uid !== undefined && numberOf(id) === uid)) return { uid: Number(id), gid: Number(gid) }
  }
  return undefined
}

function findGroup(groups: string, name: string): number | undefined {
  for (const line of groups.split('\n')) {
    const [entry, , id = ''] = line.split(':')
    if (entry === name) return numberOf(id)
  }
  return undefined
}
