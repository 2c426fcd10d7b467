import { access, constants, readFile, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { BerthError } from '@berth/core'
import type { Exec } from '../network/run-command.ts'

export interface NginxInstallation {
  readonly path: string
  readonly version: readonly [number, number, number]
  /** Modules to load; empty where Lua is built in, as in OpenResty. */
  readonly modules: readonly string[]
}

const usualPaths = [
  '/usr/sbin/nginx',
  '/usr/local/sbin/nginx',
  '/usr/bin/nginx',
  '/usr/local/openresty/nginx/sbin/nginx',
]
const usualModuleDirs = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/etc/nginx/modules']
const wanted = ['ndk_http_module.so', 'ngx_http_lua_module.so']
const hint = 'install it: apt-get install nginx libnginx-mod-http-lua lua-cjson'

/** Finds nginx with Lua. Throws `gateway.nginx-missing`, which says what to install. */
export async function findNginx(exec: Exec, nginxPath?: string, signal?: AbortSignal): Promise<NginxInstallation> {
  const path = await findBinary(nginxPath)
  const { stdout, stderr } = await exec(path, ['-V'], { signal })
  const text = `${stdout}${stderr}`
  const version = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(text) ?? /openresty\/(\d+)\.(\d+)\.(\d+)/.exec(text)
  if (version === null) throw missing(`${path} -V does not tell its version`)
  return {
    path,
    version: [Number(version[1]), Number(version[2]), Number(version[3])],
    modules: /ngx_lua|lua-nginx-module/.test(text.replace(/=dynamic\S*/g, '')) ? [] : await findModules(text),
  }
}

async function findBinary(nginxPath: string | undefined): Promise<string> {
  for (const path of nginxPath === undefined ? usualPaths : [nginxPath]) {
    if (await isExecutable(path)) return path
  }
  throw missing(nginxPath === undefined ? 'nginx is not installed' : `${nginxPath} is no program`)
}

async function findModules(versionText: string): Promise<string[]> {
  const configured = /--modules-path=(\S+)/.exec(versionText)?.[1]
  for (const dir of configured === undefined ? usualModuleDirs : [configured, ...usualModuleDirs]) {
    const paths = wanted.map((name) => join(dir, name))
    const found = await Promise.all(paths.map(isFile))
    if (isAbsolute(dir) && found.every(Boolean)) return paths
  }
  throw missing('nginx has no Lua module')
}

/** The unprivileged account of nginx's workers as `user group`; undefined when there is none or the agent is not root. */
export async function findWorkerUser(): Promise<{ readonly directive: string; readonly uid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = rows(await readFile('/etc/passwd', 'utf8'))
  const groups = rows(await readFile('/etc/group', 'utf8'))
  for (const name of ['www-data', 'nginx', 'nobody']) {
    const account = accounts.find((row) => row[0] === name)
    const group = groups.find((row) => row[2] === account?.[3])
    if (account !== undefined && group !== undefined)
      return { directive: `${name} ${group[0]}`, uid: Number(account[2]) }
  }
  return undefined
}

const rows = (text: string): string[][] => text.split('\n').map((line) => line.split(':'))

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK)
    .then(() => isFile(path))
    .catch(() => false)

const isFile = (path: string): Promise<boolean> =>
  stat(path)
    .then((entry) => entry.isFile())
    .catch(() => false)

function missing(why: string): BerthError {
  return new BerthError('gateway.nginx-missing', `start the gateway: ${why}; ${hint}`, { details: { hint } })
}
