import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Identity of this boot of the machine: the kernel's, and a mark in the directory that a boot empties. Containers that were seen under
 * another one have not crashed.
 */
export async function readBootId(runDir: string): Promise<string> {
  const kernel = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  await mkdir(runDir, { recursive: true, mode: 0o755 })
  const path = join(runDir, 'boot')
  const known = await readFile(path, 'utf8').catch(() => '')
  if (known.startsWith(`${kernel} `)) return known
  const fresh = `${kernel} ${randomUUID()}`
  await writeFile(path, fresh, { mode: 0o600 })
  return fresh
}
