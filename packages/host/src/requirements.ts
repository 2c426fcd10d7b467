import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { request } from 'node:http'
import { delimiter, join } from 'node:path'
import { BerthError } from '@berth/core'

/** Something that this machine lacks, with the words that mend it. */
export interface Shortcoming {
  readonly what: string
  readonly remedy: string
  /** Debian's package that brings it. */
  readonly package?: string
  /** Nothing listens at Docker's socket; one that starts, or is stuck, does. */
  readonly absent?: true
}

export interface RequirementOptions {
  readonly stateDir: string
  readonly dockerSocket: string
  readonly gateway: boolean
  /** Default: 1 GiB. */
  readonly minFreeBytes?: number
}

const luaModules = ['/usr/lib/nginx/modules/ngx_http_lua_module.so', '/usr/lib64/nginx/modules/ngx_http_lua_module.so']

const wantedFreeBytes = 1024 ** 3

/** What a machine is refused for that is to begin with Berth; one that has it already is told. */
export function roomShortcoming(stateDir: string, minFreeBytes = wantedFreeBytes): Shortcoming | undefined {
  const free = freeBytes(stateDir)
  if (free >= minFreeBytes) return undefined
  const what = `only ${Math.floor(free / 1024 ** 2)} MiB free below ${stateDir}`
  return { what, remedy: 'make room: Berth wants at least 1 GiB' }
}

/** Everything that is missing, at once, so that nobody has to try again and again. */
export async function findShortcomings(options: RequirementOptions): Promise<Shortcoming[]> {
  const found: Shortcoming[] = []
  if (process.getuid?.() !== 0) found.push({ what: 'not root', remedy: 'run it with sudo' })
  for (const [program, apt] of [
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
    ['iptables', 'iptables'],
    ['git', 'git'],
  ] as const) {
    if (findProgram(program) === undefined)
      found.push({ what: `no ${program}`, remedy: `apt-get install ${apt}`, package: apt })
  }
  if (options.gateway) found.push(...gatewayShortcomings())
  const docker = await probeDocker(options.dockerSocket)
  if (docker !== undefined) found.push(docker)
  const noRoom = roomShortcoming(options.stateDir, options.minFreeBytes)
  if (noRoom !== undefined) found.push(noRoom)
  if (readFileSync('/proc/filesystems', 'utf8').includes('overlay') === false && !existsSync('/sys/module/overlay')) {
    found.push({ what: 'the kernel has no overlay file system', remedy: 'modprobe overlay' })
  }
  return found
}

export function requireNone(found: readonly Shortcoming[]): void {
  if (found.length === 0) return
  const packages = found.flatMap((each) => each.package ?? [])
  const others = found.filter((each) => each.package === undefined).map((each) => `${each.what} (${each.remedy})`)
  const parts = [
    ...others,
    ...(packages.length === 0
      ? []
      : [
          `${found
            .filter((each) => each.package !== undefined)
            .map((each) => each.what)
            .join(', ')} (apt-get install ${[...new Set(packages)].join(' ')})`,
        ]),
  ]
  throw new BerthError('host.not-ready', `this machine is not ready: ${parts.join('; ')}`, { details: { found } })
}

export function findProgram(name: string): string | undefined {
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`
  for (const dir of path.split(delimiter)) {
    if (dir === '') continue
    try {
      accessSync(join(dir, name), constants.X_OK)
      return join(dir, name)
    } catch {}
  }
  return undefined
}

function gatewayShortcomings(): Shortcoming[] {
  const found: Shortcoming[] = []
  if (findProgram('nginx') === undefined)
    found.push({ what: 'no nginx', remedy: 'apt-get install nginx-light', package: 'nginx-light' })
  if (!luaModules.some(existsSync)) {
    found.push({
      what: 'no Lua module for nginx',
      remedy: 'apt-get install libnginx-mod-http-lua',
      package: 'libnginx-mod-http-lua',
    })
  }
  if (!luaLibraryDirs().some((dir) => existsSync(join(dir, 'cjson.so')))) {
    found.push({ what: 'no lua-cjson', remedy: 'apt-get install lua-cjson', package: 'lua-cjson' })
  }
  return found
}

/** Where Lua 5.1 and LuaJIT look for libraries; Debian has a folder for each processor architecture. */
function luaLibraryDirs(): string[] {
  const architectures = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => name.includes('-linux-')) : []
  return ['', ...architectures].flatMap((each) => [`/usr/lib/${each}/lua/5.1`, `/usr/local/lib/${each}/lua/5.1`])
}

/** undefined when Docker answers. */
export function probeDocker(socketPath: string, timeoutMs = 5000): Promise<Shortcoming | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/_ping', timeout: timeoutMs }, (response) => {
      response.resume()
      resolve(
        response.statusCode === 200
          ? undefined
          : { what: `Docker at ${socketPath} answers ${response.statusCode}`, remedy: 'see its log' },
      )
    })
    call.once('timeout', () => call.destroy(new Error(`it does not answer within ${timeoutMs / 1000} s`)))
    call.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      const installed = findProgram('dockerd') !== undefined
      if (absent && !installed)
        resolve({ what: 'no Docker Engine', remedy: 'apt-get install docker.io', package: 'docker.io' })
      else
        resolve({
          what: `Docker does not answer at ${socketPath}`,
          remedy: absent ? 'start it: systemctl start docker, or dockerd' : error.message,
          ...(absent ? { absent } : {}),
        })
    })
    call.end()
  })
}

function freeBytes(path: string): number {
  let at = path
  while (!existsSync(at) && at !== '/') at = join(at, '..')
  const stats = statfsSync(at)
  return stats.bavail * stats.bsize
}
