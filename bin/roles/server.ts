import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { getAsset, getAssetKeys, isSea } from 'node:sea'
import { type ConsoleFiles, directoryFiles } from '../../packages/server/src/http/console-files.ts'
import { runServer } from '../../packages/server/src/main.ts'
import { consulOptions, consulSettings } from '../consul-settings.ts'
import { readRoleArguments } from '../role-arguments.ts'
import { storeOptions, storeSettings } from '../store-settings.ts'
import { storeWorker } from '../store-worker.ts'
import { untilSignal } from '../until-signal.ts'
import { version } from '../version.ts'
import { joinServers } from './server-join.ts'

/** `berth server`: the control plane; `join`: gets the key of a cluster whose store this machine is to serve (the token comes on standard input). */
export async function run(args: readonly string[]): Promise<number> {
  if (args[0] === 'join') return joinServers(args.slice(1))
  const { paths, config, log, values } = readRoleArguments(args, {
    command: 'berth server',
    options: ['listen', 'agent-listen', 'gateway-url', 'server-name', 'advertise', ...consulOptions, ...storeOptions],
  })
  const store = storeSettings(values, config)
  const worker = storeWorker()
  const own = config?.server
  const listen = values.listen ?? own?.listen
  const agentListen = values['agent-listen'] ?? own?.agentListen
  const gatewayUrl = values['gateway-url'] ?? own?.gatewayUrl
  const consul = consulSettings(values, own?.consul)
  await runServer(
    {
      version,
      log,
      // The very file that runs, also when another one has got its name since.
      ...(isSea() ? { executable: '/proc/self/exe' } : {}),
      stateDir: paths.stateDir,
      runDir: paths.runDir,
      ...(listen === undefined ? {} : { listen }),
      ...(agentListen === undefined ? {} : { agentListen }),
      ...(gatewayUrl === undefined ? {} : { gatewayUrl }),
      ...(own === undefined ? {} : { addressPool: own.addressPool }),
      ...namesOf([values.advertise, ...(own?.names ?? []), own === undefined ? undefined : config?.address]),
      ...nameOf(values['server-name'] ?? (own === undefined ? undefined : config?.node)),
      ...(config === undefined ? {} : { gatewayHttpsPort: config.gateway.httpsPort }),
      ...(store === undefined ? {} : { store }),
      ...(consul === undefined ? {} : { consul }),
      levelDirs: [join(paths.stateDir, 'server/levels'), shippedLevels(paths.stateDir)],
      console: consoleFiles(),
      ...(worker === undefined ? {} : { storeWorker: worker }),
    },
    { signal: untilSignal() },
  )
  return 0
}

/** What others dial comes first. */
function namesOf(wanted: readonly (string | undefined)[]): { readonly names?: readonly string[] } {
  const names = wanted.filter((each) => each !== undefined)
  return names.length === 0 ? {} : { names }
}

/** A machine's name among servers is its name among nodes. */
const nameOf = (serverName: string | undefined): { readonly serverName?: string } =>
  serverName === undefined ? {} : { serverName }

const consoleFiles = (): ConsoleFiles =>
  isSea() ? assetFiles : directoryFiles(join(import.meta.dirname, '../../packages/console/dist'))

const assetFiles: ConsoleFiles = {
  read: async (path) => {
    const name = `console/${path}`
    return getAssetKeys().includes(name) ? new Uint8Array(getAsset(name)) : undefined
  },
}

/** Levels are read as folders, so those in the executable are laid out beside the server's state at every start. */
function shippedLevels(stateDir: string): string {
  if (!isSea()) return join(import.meta.dirname, '../../levels')
  const dir = join(stateDir, 'server/levels-shipped')
  if (existsSync(dir)) rmSync(dir, { recursive: true })
  mkdirSync(dir, { recursive: true, mode: 0o755 })
  for (const name of getAssetKeys().filter((each) => each.startsWith('levels/'))) {
    const file = join(dir, name.slice('levels/'.length))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, getAsset(name, 'utf8'), { mode: name.endsWith('.sh') ? 0o755 : 0o644 })
  }
  return dir
}
