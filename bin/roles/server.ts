import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { getAsset, getAssetKeys, isSea } from 'node:sea'
import { Worker } from 'node:worker_threads'
import { type ConsoleFiles, directoryFiles } from '../../packages/server/src/http/console-files.ts'
import { runServer } from '../../packages/server/src/main.ts'
import { readRoleArguments } from '../role-arguments.ts'
import { storeOptions, storeSettings } from '../store-settings.ts'
import { untilSignal } from '../until-signal.ts'
import { version } from '../version.ts'

/** `berth server`: the control plane. */
export async function run(args: readonly string[]): Promise<number> {
  const { paths, config, log, values } = readRoleArguments(args, [
    ...['listen', 'agent-listen', 'gateway-url'],
    ...storeOptions,
  ])
  const store = storeSettings(values, config)
  const own = config?.server
  const listen = values.listen ?? own?.listen
  const agentListen = values['agent-listen'] ?? own?.agentListen
  const gatewayUrl = values['gateway-url'] ?? own?.gatewayUrl
  await runServer(
    {
      version,
      log,
      stateDir: paths.stateDir,
      runDir: paths.runDir,
      ...(listen === undefined ? {} : { listen }),
      ...(agentListen === undefined ? {} : { agentListen }),
      ...(gatewayUrl === undefined ? {} : { gatewayUrl }),
      ...(own === undefined ? {} : { names: own.names, addressPool: own.addressPool }),
      ...(config === undefined ? {} : { gatewayHttpsPort: config.gateway.httpsPort }),
      ...(store === undefined ? {} : { store }),
      levelDirs: [join(paths.stateDir, 'server/levels'), shippedLevels(paths.stateDir)],
      console: consoleFiles(),
      ...(isSea() ? { storeWorker } : {}),
    },
    { signal: untilSignal() },
  )
  return 0
}

/** An executable has no files beside it: the thread's program is in it as text. */
const storeWorker = (): Worker => new Worker(getAsset('roles/sqlite-worker.cjs', 'utf8'), { eval: true })

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
