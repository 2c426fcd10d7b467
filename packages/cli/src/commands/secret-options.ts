import { readFileSync } from 'node:fs'
import { readSecret } from '../read-secret.ts'

export interface SecretOptions {
  readonly secret?: boolean
  readonly secretFile?: string
}

/** From a file, or asked for; never from the command line, where others could see it. undefined: none was given. */
export async function secretOf(
  { secret, secretFile }: SecretOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (secretFile !== undefined) return readFileSync(secretFile, 'utf8').replace(/\r?\n$/, '')
  return secret === true ? await readSecret('secret', signal) : undefined
}
