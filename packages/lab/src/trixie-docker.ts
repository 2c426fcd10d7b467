import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { mustRun, type RunOptions } from './command.ts'
import type { LabLog } from './lab.ts'
import { tryLock } from './lock.ts'
import { waitFor } from './wait-for.ts'

export interface TrixieDockerOptions {
  /** Kept between calls. */
  readonly dir?: string
  /** Debian's mirror, e.g. `http://mirror.example/debian`. Default: the one that this machine's apt uses. */
  readonly mirror?: string
  readonly log?: LabLog
  readonly signal?: AbortSignal
}

const SUITE = 'trixie'
const DEFAULT_DIR = '/var/cache/berth-lab/trixie-docker'

/**
 * Gives a host Debian 13's Docker Engine (26.x), on a machine of any Debian: `createLab({ hosts: [await trixieDocker()] })`. docker.io and
 * everything it depends on, down to the C library, are unpacked to a directory that becomes the upper part of the host's /usr. (Rewriting
 * the programs to load libraries from elsewhere is no way: patchelf breaks Go programs at fixed addresses, such as containerd.)
 */
export async function trixieDocker(options: TrixieDockerOptions = {}): Promise<{ readonly usrLayer: string }> {
  const dir = options.dir ?? DEFAULT_DIR
  await using _lock = await waitFor(() => tryLock('berth-lab-trixie'), {
    what: 'another process to have fetched Docker of Debian 13',
    deadlineMs: 600_000,
    intervalMs: 200,
    signal: options.signal,
  })
  const usrLayer = join(dir, 'root', 'usr')
  if (existsSync(join(dir, 'complete'))) return { usrLayer }
  options.log?.info({ dir }, 'fetching Docker of Debian 13')
  const run = options.signal === undefined ? {} : { signal: options.signal }
  const mirror = options.mirror ?? (await machineMirror(run))
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  for (const archive of await download(dir, mirror, run)) {
    await mustRun(['dpkg-deb', '-x', archive, join(dir, 'root')], run)
  }
  const spent = ['apt', 'root/usr/share/doc', 'root/usr/share/man', 'root/usr/share/locale', 'root/var']
  await Promise.all(spent.map((path) => rm(join(dir, path), { recursive: true, force: true })))
  await writeFile(join(dir, 'complete'), '')
  return { usrLayer }
}

const machineMirror = async (run: RunOptions): Promise<string> => {
  const known = await debianMirror(run)
  if (known !== undefined) return known
  // A machine may have been set up without package lists, or have dropped them.
  await mustRun(['apt-get', 'update'], run)
  const found = await debianMirror(run)
  if (found !== undefined) return found
  throw new BerthError(
    'lab.no-debian-mirror',
    'fetch Docker of Debian 13: apt of this machine knows no Debian mirror; name one by `mirror`',
  )
}

/** The first mirror of Debian itself in the machine's package sources; undefined on other distributions. */
export const debianMirror = async (run: RunOptions = {}): Promise<string | undefined> => {
  const filters = ['Created-By: Packages', 'Origin: Debian', 'Component: main']
  const sites = await mustRun(['apt-get', 'indextargets', '--format', '$(SITE)', ...filters], run)
  return sites.split('\n').find((site) => site !== '' && !site.includes('security'))
}

/** Has apt resolve and fetch the packages as for an empty machine, with lists and cache of its own; proxy and key settings are the machine's. */
const download = async (dir: string, mirror: string, run: RunOptions): Promise<string[]> => {
  const apt = join(dir, 'apt')
  const archives = join(apt, 'cache', 'archives')
  await Promise.all(
    [join(apt, 'lists', 'partial'), join(archives, 'partial')].map((path) => mkdir(path, { recursive: true })),
  )
  await writeFile(join(apt, 'status'), '')
  await writeFile(join(apt, 'sources.list'), `deb ${mirror} ${SUITE} main\n`)
  const settings = [
    `Dir::State=${apt}`,
    `Dir::State::lists=${join(apt, 'lists')}`,
    `Dir::State::status=${join(apt, 'status')}`,
    `Dir::Cache=${join(apt, 'cache')}`,
    `Dir::Etc::sourcelist=${join(apt, 'sources.list')}`,
    'Dir::Etc::sourceparts=-',
    'Acquire::Languages=none',
    'Acquire::Retries=3',
    // The machine's own user may not look into the directory.
    'APT::Sandbox::User=root',
  ].flatMap((setting) => ['-o', setting])
  await mustRun(['apt-get', ...settings, 'update'], run)
  await mustRun(
    ['apt-get', ...settings, '--yes', '--no-install-recommends', '--download-only', 'install', 'docker.io'],
    run,
  )
  return readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(archives, name))
}
