import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const cache = '/var/cache/berth-lab'

export const isDebian = /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))

/** Debian 13's etcd (3.5), unpacked beside the machine's own: a Go program that needs no more than a C library. Kept between calls. */
export async function trixieEtcd(): Promise<string> {
  const kept = join(cache, 'trixie-etcd')
  const program = join(kept, 'root/usr/bin/etcd')
  if (existsSync(program)) return program
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'trixie-etcd-'))
  try {
    await download(work)
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb')) as string
    await run('dpkg-deb', ['-x', join(work, archive), join(work, 'root')])
    await rename(work, kept).catch((error) => {
      if (!existsSync(program)) throw error // another test was faster
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return program
}

/** With lists of its own; the machine's are left as they are. */
async function download(work: string): Promise<void> {
  await mkdir(join(work, 'lists/partial'), { recursive: true })
  await mkdir(join(work, 'archives/partial'), { recursive: true })
  await writeFile(join(work, 'status'), '')
  await writeFile(join(work, 'sources.list'), `deb ${await mirror()} trixie main\n`)
  const settings = [
    ...[`Dir::State=${work}`, `Dir::State::lists=${work}/lists`, `Dir::State::status=${work}/status`],
    ...[`Dir::Cache=${work}`, `Dir::Etc::sourcelist=${work}/sources.list`, 'Dir::Etc::sourceparts=-'],
    ...['Acquire::Languages=none', 'Acquire::Retries=3', 'APT::Sandbox::User=root'],
  ].flatMap((setting) => ['-o', setting])
  await run('apt-get', [...settings, 'update'])
  await run('apt-get', [...settings, 'download', 'etcd-server'], { cwd: work })
}

/** The first one of Debian itself among the machine's. */
async function mirror(): Promise<string> {
  const filters = ['Created-By: Packages', 'Origin: Debian', 'Component: main']
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(SITE)', ...filters])
  const found = stdout.split('\n').find((site) => site !== '' && !site.includes('security'))
  if (found === undefined) throw new Error('apt of this machine knows no Debian mirror: run apt-get update')
  return found
}
