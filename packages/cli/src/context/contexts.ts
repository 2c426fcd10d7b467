import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { BerthError, closest, messageOf } from '@berth/core'
import { readText } from '../files.ts'
import { ContextMemory } from './context-memory.ts'
import type { Endpoint } from './transports.ts'

/** A cluster that a user works with, by name. Kept in the user's config folder, readable by nobody else: it holds tokens. */
export interface Context {
  readonly server: string
  /** Addresses of the cluster's other servers, as they were given. */
  readonly others?: readonly string[]
  /** Those that a server told of, the newest word first; also of servers that are away just now. */
  readonly learned?: readonly string[]
  readonly token?: string
  readonly authorityPem?: string
  /** App's pool when none is said. */
  readonly pool?: string
}

export interface ActiveContext {
  readonly name: string
  readonly context: Context
}

interface ContextFile {
  readonly current: string
  readonly contexts: Readonly<Record<string, Context>>
}

export const localContext = 'local'
/** Of variables: nothing is learned for it, since nothing keeps it. */
export const environmentContext = 'environment'
const defaultSocket = '/run/berth/server.sock'

const maxLearned = 16

export class Contexts {
  readonly memory: ContextMemory
  readonly #path: string
  readonly #env: NodeJS.ProcessEnv

  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.#env = env
    const base = env.BERTH_CONFIG_DIR ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'berth')
    this.#path = join(base, 'contexts.json')
    this.memory = new ContextMemory(base)
  }

  /** `local` (the socket on this machine) is always there. */
  read(): ContextFile {
    const own = this.#load()
    const local: Context = { server: `unix:${this.#env.BERTH_SOCKET ?? defaultSocket}` }
    return { current: own.current, contexts: { [localContext]: local, ...own.contexts } }
  }

  /** `BERTH_SERVER` and `BERTH_TOKEN` win over everything but `--context`, then `BERTH_CONTEXT`, then the chosen one. */
  active(named?: string): ActiveContext {
    if (named === undefined && this.#env.BERTH_SERVER !== undefined) {
      const { BERTH_SERVER: text, BERTH_TOKEN: token, BERTH_AUTHORITY: authority } = this.#env
      const [server = '', ...others] = text.split(/[\s,]+/).filter((each) => each !== '')
      return {
        name: environmentContext,
        context: {
          ...{ server, others },
          ...(token === undefined ? {} : { token }),
          ...(authority === undefined ? {} : { authorityPem: readText(authority) }),
        },
      }
    }
    const file = this.read()
    const name = named ?? this.#env.BERTH_CONTEXT ?? file.current
    return { name, context: find(file, name) }
  }

  put(name: string, context: Context): void {
    const file = this.#load()
    this.#save({ ...file, contexts: { ...file.contexts, [name]: context } })
  }

  /**
   * After a rotation of the authority by which a context knows its server: the new one is known from now on as well. The server said so
   * over a connection that the old one vouches for. True when that was news. A context that trusts somebody else stays as it is.
   */
  learnAuthority(name: string, trustPem: string): boolean {
    const context = this.#load().contexts[name]
    if (context?.authorityPem === undefined || context.authorityPem === trustPem) return false
    const known = new Set(certificatesIn(context.authorityPem))
    const offered = certificatesIn(trustPem)
    if (!offered.some((each) => known.has(each)) || offered.every((each) => known.has(each))) return false
    this.put(name, { ...context, authorityPem: trustPem })
    return true
  }

  /** Addresses (`host:port`) of all servers that are up, as one of them told. True when one of them was news. */
  learnServers(name: string, told: readonly string[]): boolean {
    const context = this.#load().contexts[name]
    if (context === undefined || context.server.startsWith('unix:')) return false
    const given = new Set([context.server, ...(context.others ?? [])].map(urlOf))
    const { learned = [] } = context
    const now = told.map(urlOf).filter((url) => !given.has(url))
    if (now.every((url) => learned.includes(url))) return false
    const all = [...new Set([...now, ...learned])].slice(0, maxLearned)
    this.put(name, { ...context, learned: all })
    return true
  }

  use(name: string): void {
    find(this.read(), name)
    this.#save({ ...this.#load(), current: name })
  }

  remove(name: string): void {
    const file = this.#load()
    find({ ...file, contexts: file.contexts }, name)
    const { [name]: _, ...rest } = file.contexts
    this.#save({ current: file.current === name ? localContext : file.current, contexts: rest })
  }

  #load(): ContextFile {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { current: localContext, contexts: {} }
      throw new BerthError('context.unreadable', `read ${this.#path}: ${messageOf(error)}`)
    }
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new BerthError(
        'context.unreadable',
        `read ${this.#path}: ${messageOf(error)}; mend it, or delete it to start afresh`,
      )
    }
  }

  #save(file: ContextFile): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
    const temporary = `${this.#path}.new`
    writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
    chmodSync(temporary, 0o600)
    renameSync(temporary, this.#path)
  }
}

/** Without their line ends, which differ by who wrote them. */
const certificatesIn = (pem: string): string[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((each) =>
    each.replace(/\s/g, ''),
  )

function find(file: ContextFile, name: string): Context {
  const context = file.contexts[name]
  if (context !== undefined) return context
  const names = Object.keys(file.contexts)
  const near = closest(name, names)
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`
  throw new BerthError(
    'context.not-found',
    `no context ${name}${hint}; there ${names.length === 0 ? 'are none but `local`' : `are: ${names.join(', ')}`}`,
  )
}

/** Of all its servers, in the order in which they are tried when nothing else is known. */
export function endpointsOf(context: Context): readonly Endpoint[] {
  const { server, others = [], learned = [] } = context
  if (server.startsWith('unix:')) return [{ type: 'socket', path: server.slice('unix:'.length) }]
  const trust = context.authorityPem === undefined ? {} : { authorityPem: context.authorityPem }
  const urls = [...new Set([server, ...others, ...learned].map(urlOf))]
  return urls.map((url) => ({ type: 'tls', url, token: context.token ?? '', ...trust }))
}

/** `10.0.0.5:7600` is `https://10.0.0.5:7600`. */
function urlOf(server: string): string {
  const url = server.includes('://') ? server : `https://${server}`
  if (url.startsWith('https://')) return url.replace(/\/+$/, '')
  throw new BerthError('context.invalid', `${server}: a server is reached by https:// or unix:`)
}
