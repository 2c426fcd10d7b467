import { randomBytes } from 'node:crypto'
import { chmod, chown, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BerthError, type ItemChange, type Items, type Json, nameOf } from '@berth/core'
import type { MachineItems } from './item-kind.ts'

/** Of files that are replaced. Larger ones are refused: their content could not be given back. */
const maxBytes = 1024 * 1024

interface FileValue {
  readonly content: string
  readonly mode: string
  readonly owner: string
  /** Set where the content is no text: it is base64 then. */
  readonly encoding?: 'base64'
}

/** Files as a whole: content, mode and owner. */
export class FileItems implements MachineItems {
  async read(names: readonly string[]): Promise<Items> {
    const accounts = await readAccounts()
    const entries = names.map(async (name) => [`file${name}`, await fileValue(name, accounts)] as const)
    return Object.fromEntries(await Promise.all(entries))
  }

  async write(changes: readonly ItemChange[]): Promise<void> {
    for (const { key, after } of changes) {
      const name = nameOf(key)
      try {
        await put(name, after as FileValue | null)
      } catch (error) {
        if (error instanceof BerthError) throw error
        const { code } = error as NodeJS.ErrnoException
        throw new BerthError('configuration.file', `write ${name}: ${code ?? String(error)}`, { cause: error })
      }
    }
  }

  async problems(changes: readonly ItemChange[]): Promise<readonly string[]> {
    const found = await Promise.all(
      changes.map(({ key, after }) => (after === null ? undefined : problemOf(nameOf(key)))),
    )
    return found.filter((each) => each !== undefined)
  }
}

async function problemOf(name: string): Promise<string | undefined> {
  const found = await lstat(name).catch(() => undefined)
  if (found === undefined) return undefined
  if (found.isSymbolicLink()) return `${name} is a link on this machine: name what it leads to`
  if (!found.isFile()) return `${name} is no file on this machine`
  return found.size > maxBytes ? `${name} is larger than 1 MiB on this machine: it could not be given back` : undefined
}

async function fileValue(name: string, accounts: Accounts): Promise<Json> {
  const found = await lstat(name).catch(() => undefined)
  if (found === undefined || !found.isFile() || found.size > maxBytes) return null
  const bytes = await readFile(name)
  const text = bytes.toString('utf8')
  const isText = Buffer.from(text, 'utf8').equals(bytes)
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0')
  const owner = `${accounts.userOf(found.uid)}:${accounts.groupOf(found.gid)}`
  return isText
    ? { content: text, mode, owner }
    : { content: bytes.toString('base64'), encoding: 'base64', mode, owner }
}

/** Beside it first, then in its place: a reader finds the old one or the new one. */
async function put(name: string, value: FileValue | null): Promise<void> {
  if (value === null) return await rm(name, { force: true })
  const accounts = await readAccounts()
  const [user = '', group = ''] = value.owner.split(':')
  const [uid, gid] = [accounts.uid(user), accounts.gid(group)]
  if (uid === undefined || gid === undefined)
    throw new BerthError(
      'configuration.file',
      `write ${name}: this machine has no ${uid === undefined ? `user ${user}` : `group ${group}`}`,
    )
  await mkdir(dirname(name), { recursive: true, mode: 0o755 })
  const temporary = `${name}.berth-${randomBytes(4).toString('hex')}`
  try {
    await writeFile(temporary, Buffer.from(value.content, value.encoding ?? 'utf8'), {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    })
    await chown(temporary, uid, gid)
    await chmod(temporary, Number.parseInt(value.mode, 8))
    await rename(temporary, name)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

interface Accounts {
  userOf(uid: number): string
  groupOf(gid: number): string
  uid(user: string): number | undefined
  gid(group: string): number | undefined
}

async function readAccounts(): Promise<Accounts> {
  const [users, groups] = await Promise.all(['/etc/passwd', '/etc/group'].map(numbersByName))
  const nameIn = (table: ReadonlyMap<string, number> | undefined, id: number): string =>
    [...(table ?? [])].find(([, number]) => number === id)?.[0] ?? String(id)
  const numberIn = (table: ReadonlyMap<string, number> | undefined, name: string): number | undefined =>
    table?.get(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined)
  return {
    userOf: (uid) => nameIn(users, uid),
    groupOf: (gid) => nameIn(groups, gid),
    uid: (user) => numberIn(users, user),
    gid: (group) => numberIn(groups, group),
  }
}

async function numbersByName(file: string): Promise<ReadonlyMap<string, number>> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return new Map(
    text.split('\n').flatMap((line) => {
      const [name, , number] = line.split(':')
      return name === undefined || number === undefined ? [] : [[name, Number(number)] as const]
    }),
  )
}
