import type { HostConfig } from '../packages/host/src/index.ts'
import type { StoreSettings } from '../packages/server/src/store/store-location.ts'

/** Options that say where the records are, as `parseArgs` wants their names. */
export const storeOptions = [
  'store',
  'store-ca',
  'store-cert',
  'store-key',
  'store-user',
  'store-password-file',
] as const

/** By arguments, else by what `berth up` was told, else SQLite in the state directory. */
export function storeSettings(
  values: Readonly<Record<string, string | undefined>>,
  config: HostConfig | undefined,
): StoreSettings | undefined {
  const { store: url } = values
  if (url === undefined) return config?.server?.store
  return {
    url,
    caFile: values['store-ca'],
    certificateFile: values['store-cert'],
    keyFile: values['store-key'],
    user: values['store-user'],
    passwordFile: values['store-password-file'],
  }
}
