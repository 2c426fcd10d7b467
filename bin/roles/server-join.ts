import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../packages/api/src/client.ts'
import { fetchAuthority } from '../../packages/cli/src/context/fetch-authority.ts'
import { createTransport } from '../../packages/cli/src/context/transports.ts'
import { readSecret } from '../../packages/cli/src/read-secret.ts'
import { BerthError, messageOf } from '../../packages/core/src/index.ts'
import { makePrivateDirectory, writePrivateFile } from '../../packages/server/src/files/private-files.ts'
import { readRoleArguments } from '../role-arguments.ts'
import { untilSignal } from '../until-signal.ts'

/**
 * Gets the key under which the store's secrets and its authority are sealed, and writes it where `berth server` looks for it. The server
 * that gives it is known by the fingerprint in the token; the token comes by the environment or on standard input, never as an argument.
 */
export async function joinServers(args: readonly string[]): Promise<number> {
  try {
    const words = { command: 'berth server join', options: ['server', 'server-name'] }
    const { paths, values } = readRoleArguments(args, words)
    await takeKey(join(paths.stateDir, 'server'), values.server ?? '', values['server-name'] ?? hostname())
    process.stderr.write('this machine has the key of the cluster; start it with: berth up --store …\n')
    return 0
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}\n`)
    return 1
  }
}

async function takeKey(directory: string, server: string, name: string): Promise<void> {
  const file = join(directory, 'secret.key')
  if (existsSync(file))
    throw new BerthError(
      'join.already-joined',
      `join: ${file} is there already: this machine is a server; to join another cluster move ${directory} away`,
    )
  const url = parseServer(server)
  const stop = untilSignal()
  const token = process.env.BERTH_JOIN_TOKEN ?? (await readSecret('token, of `berth server token`', stop))
  const signal = AbortSignal.any([stop, AbortSignal.timeout(30_000)])
  const authorityPem = await fetchAuthority(url, fingerprintIn(token.trim()), signal)
  const client = createClient(createTransport({ type: 'tls', url: url.origin, token: '', authorityPem }))
  // Before the token is used up.
  await makePrivateDirectory(directory)
  const { secretKey } = await client.call('joinServer', { body: { token: token.trim(), name } }, { signal })
  await writePrivateFile(file, `${secretKey}\n`)
}

function fingerprintIn(token: string): string {
  const fingerprint = /^[A-Za-z0-9_-]+\.([0-9a-f]{64})$/.exec(token)?.[1]
  if (fingerprint !== undefined) return fingerprint
  throw new BerthError('join.invalid-token', 'join: the text is no token; copy the whole line of "berth server token"')
}

function parseServer(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url?.protocol === 'https:' && url.hostname !== '') return url
  throw new BerthError(
    'join.invalid-server',
    `join: ${text || 'nothing'} is no server's address; say --server HOST:7600`,
  )
}
