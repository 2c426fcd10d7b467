import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { basicToken, type RepositoryLocation } from './repository-location.ts'

/**
 * The only configuration that git sees. `safe.directory`: git only reads objects of a repository here, whoever owns it, and runs nothing
 * of it; it has to stand in a file since git clears command line configuration for the process that reads a local repository.
 */
const configuration = `# Made by Berth; the only git configuration that its server uses.
[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	askPass =
[credential]
	helper =
[fetch]
	recurseSubmodules = false
[gc]
	autoDetach = false
[tar]
	umask = 0022
[http]
	lowSpeedLimit = 1000
	lowSpeedTime = 60
[init]
	defaultBranch = main
`

/**
 * Attributes of a repository must not change what an image is built from: no file is left out, no text replaced, no filter run.
 */
export const mirrorAttributes = '* -export-ignore -export-subst -ident -filter\n'

/** Taken from the server's own environment: how to reach the world. */
const inherited = [
  'PATH',
  'HOME',
  'SSH_AUTH_SOCK',
  'GIT_SSL_CAINFO',
  'https_proxy',
  'HTTPS_PROXY',
  'http_proxy',
  'HTTP_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
] as const

export const inheritedEnvironment = (): Record<string, string> =>
  Object.fromEntries(inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))

export const batchSsh = 'ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new -oConnectTimeout=15'

/** Writes the configuration below `dir` and returns git's whole environment. */
export async function prepareGit(dir: string): Promise<Record<string, string>> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, 'gitconfig')
  await writeFile(file, configuration)
  return {
    ...inheritedEnvironment(),
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: file,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'false',
    SSH_ASKPASS: 'false',
    GIT_SSH_COMMAND: batchSsh,
    GIT_ALLOW_PROTOCOL: 'file:https:ssh:git',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_OPTIONAL_LOCKS: '0',
  }
}

/** The password goes to git in its environment, for this host only, and never to a disk or an argument. */
export function credentialEnvironment(location: RepositoryLocation): Record<string, string> {
  if (location.type !== 'url' || location.credentials === undefined) return {}
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${new URL(location.url).origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basicToken(location.credentials)}`,
  }
}
