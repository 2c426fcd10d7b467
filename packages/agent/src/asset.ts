import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getAsset, isSea } from 'node:sea'
import { BerthError } from '@berth/core'

/** Files of this package that are read as text while it runs; the single executable holds each under this name. */
export const assetNames = [
  'agent/gateway/lua/berth.lua',
  'agent/gateway/lua/berth_admin.lua',
  'agent/gateway/lua/berth_counters.lua',
  'agent/gateway/lua/berth_detour.lua',
  'agent/gateway/lua/berth_grpc.lua',
  'agent/gateway/lua/berth_handover.lua',
  'agent/gateway/lua/berth_limits.lua',
  'agent/gateway/lua/berth_pages.lua',
  'agent/gateway/lua/berth_proxy.lua',
  'agent/gateway/lua/berth_request.lua',
  'agent/gateway/lua/berth_route.lua',
  'agent/gateway/lua/berth_shared.lua',
  'agent/gateway/lua/berth_table.lua',
  'agent/gateway/lua/berth_tls.lua',
  'agent/gateway/lua/berth_turns.lua',
  'agent/gateway/lua/berth_worker.lua',
] as const

export type AssetName = (typeof assetNames)[number]

/** The text of a file that comes with the agent: out of the executable, or beside this file in source form. */
export async function loadAsset(name: AssetName): Promise<string> {
  try {
    return isSea() ? getAsset(name, 'utf8') : await readFile(assetPath(name), 'utf8')
  } catch (cause) {
    throw new BerthError(
      'agent.asset-missing',
      `read ${name}: it is not part of this installation; install Berth again`,
      {
        cause,
      },
    )
  }
}

/** Where an asset lies in source form: what a bundler has to collect. */
export function assetPath(name: AssetName): string {
  return join(import.meta.dirname, name.slice('agent/'.length))
}
