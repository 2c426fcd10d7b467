import type { LabHost, SpawnedProcess } from '../../packages/lab/src/index.ts'

/** Where programs send and receive: a host, or a container of it. */
export interface Place {
  readonly host: LabHost
  readonly address: string
  /** A process of the container, as its host sees it. The host's own programs run in its network, so no image needs them. */
  readonly pid?: number
}

const argvAt = ({ pid }: Place, argv: readonly string[]): readonly string[] =>
  pid === undefined ? argv : ['nsenter', `--target=${pid}`, '--net', '--', ...argv]

/** Gives what the program printed. */
export async function runAt(place: Place, argv: readonly string[], signal?: AbortSignal): Promise<string> {
  const { code, stdout, stderr } = await place.host.exec(argvAt(place, argv), { ...(signal && { signal }) })
  if (code !== 0) throw new Error(`${place.host.name}: ${argv.join(' ')} ended with ${code}: ${stderr}${stdout}`)
  return stdout
}

/** It ends with the lab. */
export const startAt = (place: Place, argv: readonly string[]): Promise<SpawnedProcess> =>
  place.host.spawn(argvAt(place, argv))
