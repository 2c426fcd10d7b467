import { existsSync } from 'node:fs'
import { type ItemChange, type Items, nameOf } from '@berth/core'
import { mustRun, runHere } from './host-run.ts'
import type { KindOptions, MachineItems } from './item-kind.ts'

const aptMs = 600_000
const lookMs = 30_000
const env = { DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none', NEEDRESTART_MODE: 'l' }
/** Configuration files that somebody changed stay; a lock of another apt is waited for. */
const apt = ['apt-get', '-y', '-o', 'Dpkg::Options::=--force-confold', '-o', 'DPkg::Lock::Timeout=60']

/** Packages of Debian and Ubuntu: there or not. */
export class PackageItems implements MachineItems {
  async read(names: readonly string[], { signal }: KindOptions): Promise<Items> {
    const none = Object.fromEntries(names.map((name) => [`package/${name}`, null]))
    if (names.length === 0 || !hasApt()) return none
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own way to name fields
    const query = ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n', ...names]
    // It ends with 1 when one of them is not known, and tells of the others.
    const { stdout } = await runHere(query, { timeoutMs: lookMs, signal })
    const installed = stdout.split('\n').flatMap((line) => {
      const [name, status] = line.split(' ')
      return status === 'installed' ? [[`package/${name}`, true] as const] : []
    })
    return { ...none, ...Object.fromEntries(installed) }
  }

  async write(changes: readonly ItemChange[], { signal }: KindOptions): Promise<void> {
    const of = (there: boolean): string[] =>
      changes.filter(({ after }) => (after !== null) === there).map(({ key }) => nameOf(key))
    const [missing, surplus] = [of(true), of(false)]
    if (missing.length > 0) await install(missing, signal)
    if (surplus.length > 0) await mustRun([...apt, 'remove', ...surplus], { timeoutMs: aptMs, signal, env })
  }

  async problems(changes: readonly ItemChange[]): Promise<readonly string[]> {
    if (changes.length === 0 || hasApt()) return []
    return ['packages need apt-get, which this machine does not have']
  }
}

const hasApt = (): boolean => existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/dpkg-query')

/** Nothing else is removed for it. Lists of packages are renewed only where a name is not known. */
async function install(names: readonly string[], signal: AbortSignal): Promise<void> {
  const argv = [...apt, '--no-install-recommends', '--no-remove', 'install', ...names]
  const options = { timeoutMs: aptMs, signal, env }
  if ((await runHere(argv, options)).code === 0) return
  // A dpkg that was interrupted, and lists that are old, are what keeps it from working most often.
  await runHere(['dpkg', '--configure', '-a'], options)
  await mustRun([...apt, 'update'], options)
  await mustRun(argv, options)
}
