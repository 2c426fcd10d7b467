import { chmod, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type AssetName, assetNames, loadAsset } from '../asset.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { type NginxFacts, renderNginxConf, wantedOpenFiles } from './nginx-conf.ts'
import { findWorkerUser, type NginxInstallation } from './nginx-install.ts'
import { digest, type GatewayPaths, type NginxGatewayOptions } from './nginx-options.ts'

const luaPrefix = 'lua-'
/** For temporary files of workers that may not enter the state folder. */
const cacheDir = '/var/cache/berth-gateway'

/** nginx.conf as it should be, and the digest by which the running nginx says whether it has it. */
export interface Configuration {
  readonly text: string
  readonly digest: string
}

/** Makes the folders and everything in them but nginx.conf itself. Repeating it changes nothing. */
export async function prepareFiles(
  options: NginxGatewayOptions,
  paths: GatewayPaths,
  nginx: NginxInstallation,
): Promise<Configuration> {
  await mkdir(paths.private, { recursive: true, mode: 0o700 })
  await chmod(paths.stateDir, 0o711)
  await chmod(paths.private, 0o700)
  await mkdir(paths.logs, { recursive: true, mode: 0o700 })
  if (options.httpsPort !== undefined) await ensureFallbackCertificate(paths)
  const user = await findWorkerUser()
  const facts: NginxFacts = {
    version: nginx.version,
    modules: nginx.modules,
    ...(user === undefined ? {} : { user: user.directive }),
    luaDir: await writeLua(paths),
    tempDir: await makeTempDir(paths, user?.uid),
    ipv6: await exists('/proc/net/if_inet6'),
    maxOpenFiles: Math.min(wantedOpenFiles(options), await hardFileLimit()),
  }
  const input = { options, paths, facts }
  const name = digest(renderNginxConf(input, ''))
  return { text: renderNginxConf(input, name), digest: name }
}

/** In a folder named after its content: a new version of the agent brings its own beside the one that is running. */
async function writeLua(paths: GatewayPaths): Promise<string> {
  const names = assetNames.filter((name) => name.startsWith('agent/gateway/lua/'))
  const files = await Promise.all(names.map(async (name: AssetName) => ({ name, text: await loadAsset(name) })))
  const dir = join(paths.private, `${luaPrefix}${digest(JSON.stringify(files))}`)
  if (await exists(dir)) return dir
  const draft = `${dir}.new`
  await rm(draft, { recursive: true, force: true })
  for (const { name, text } of files) await writeFileAtomic(join(draft, basename(name)), text)
  await rename(draft, dir)
  return dir
}

/** Drops the Lua files of other versions, once the running nginx has read those of this one. */
export async function removeOldLua(paths: GatewayPaths, configuration: Configuration): Promise<void> {
  for (const name of await readdir(paths.private)) {
    const path = join(paths.private, name)
    if (name.startsWith(luaPrefix) && !configuration.text.includes(`${path}/`)) {
      await rm(path, { recursive: true, force: true })
    }
  }
}

async function ensureFallbackCertificate(paths: GatewayPaths): Promise<void> {
  if (await exists(paths.fallbackCertificate)) return
  const { createFallbackCertificate } = await import('./fallback-certificate.ts')
  const { certificatePem, keyPem } = await createFallbackCertificate(Date.now())
  await writeFileAtomic(paths.fallbackKey, keyPem)
  await writeFileAtomic(paths.fallbackCertificate, certificatePem)
}

/** nginx gives the folders inside it to its workers, who must be able to come there through every folder above. */
async function makeTempDir(paths: GatewayPaths, workerUid: number | undefined): Promise<string> {
  const inside = workerUid === undefined || (await isOpenToAll(paths.stateDir))
  const dir = inside ? join(paths.stateDir, 'temp') : outsideTempDir(paths)
  await mkdir(dir, { recursive: true, mode: 0o711 })
  return dir
}

/** All that a gateway may leave outside its state folder. */
export const outsideTempDir = (paths: GatewayPaths): string => join(cacheDir, digest(paths.stateDir))

async function isOpenToAll(dir: string): Promise<boolean> {
  const { mode } = await stat(dir)
  if ((mode & 0o001) === 0) return false
  return dir === '/' || isOpenToAll(dirname(dir))
}

/** Of the agent, hence of nginx: inside a container even root may not raise it. */
async function hardFileLimit(): Promise<number> {
  const row = /^Max open files\s+\S+\s+(\S+)/m.exec(await readFile('/proc/self/limits', 'utf8'))
  return row?.[1] === undefined || row[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(row[1])
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
