import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError, familyOf, type PublishedPort, tryParseAddress } from '@berth/core'
import { badCall, isRecord } from './plugin-call.ts'

/** What Docker calls an endpoint: a container in a network, from before its start until after its end. */
export interface EndpointRecord {
  readonly id: string
  readonly network: string
  /** Of IPv4, without prefix; one. */
  readonly addresses: readonly string[]
  /** Its twin, where the pool has IPv6. */
  readonly address6?: string
  readonly mac: string
  /** The host's end of its link. */
  readonly link: string
  /** The other end, as it is called until Docker takes it into the container. */
  readonly peer: string
  readonly createdAt: number
  /** Of the node, that lead here. */
  readonly ports?: readonly PublishedPort[]
  /** Of a container that is started by hand: the profiles that it names. Absent: none. */
  readonly profiles?: readonly string[]
}

/** Beside a record: the agent has put the rules of its profiles in force. */
export const inForceMark = '.in-force'

/** A file for each endpoint, in memory: a reboot takes them and the links that they are about alike. */
export class EndpointRecords {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Throws `plugin.unknown-endpoint`. */
  async get(id: string): Promise<EndpointRecord> {
    const record = await this.find(id)
    if (record !== undefined) return record
    throw new BerthError('plugin.unknown-endpoint', `there is no endpoint ${id}; start its container again`)
  }

  /** A file that is damaged counts as none. Throws `plugin.bad-call` for what cannot be an id. */
  async find(id: string): Promise<EndpointRecord | undefined> {
    try {
      const record: unknown = JSON.parse(await readFile(this.#path(id), 'utf8'))
      return isEndpoint(record) && record.id === id ? record : undefined
    } catch (error) {
      if (error instanceof SyntaxError || isMissing(error)) return undefined
      throw error
    }
  }

  async put(record: EndpointRecord): Promise<void> {
    const path = this.#path(record.id)
    await mkdir(this.#directory, { recursive: true, mode: 0o755 })
    const temporary = `${path}.new-${process.pid}`
    await writeFile(temporary, JSON.stringify(record))
    await rename(temporary, path)
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true })
    await rm(this.#path(id, inForceMark), { force: true })
  }

  /** Of an endpoint with profiles, to be called by the agent. An id is of one endpoint for ever, so what is said late says nothing of another. */
  async markInForce(id: string): Promise<void> {
    await writeFile(this.#path(id, inForceMark), '')
    // It may have gone meanwhile; nobody else would take the mark away.
    if ((await this.find(id)) === undefined) await rm(this.#path(id, inForceMark), { force: true })
  }

  isInForce(id: string): Promise<boolean> {
    return access(this.#path(id, inForceMark)).then(
      () => true,
      () => false,
    )
  }

  async list(): Promise<EndpointRecord[]> {
    return (await Promise.all((await this.ids()).map((id) => this.find(id)))).flatMap((record) => record ?? [])
  }

  async ids(): Promise<string[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (isMissing(error)) return []
      throw error
    })
    return names.flatMap((name) => /^([A-Za-z0-9_-]+)\.json$/.exec(name)?.[1] ?? [])
  }

  #path(id: string, ending = '.json'): string {
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(id)) throw badCall(`EndpointID ${JSON.stringify(id.slice(0, 200))} is no id`)
    return join(this.#directory, `${id}${ending}`)
  }
}

export const allAddressesOf = ({ addresses, address6 }: EndpointRecord): readonly string[] =>
  address6 === undefined ? addresses : [...addresses, address6]

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

const isEndpoint = (value: unknown): value is EndpointRecord =>
  isRecord(value) &&
  ['id', 'network', 'mac', 'link', 'peer'].every((field) => typeof value[field] === 'string') &&
  isTexts(value.addresses) &&
  (value.address6 === undefined || typeof value.address6 === 'string') &&
  typeof value.createdAt === 'number' &&
  (value.ports === undefined || (Array.isArray(value.ports) && value.ports.every(isPort))) &&
  (value.profiles === undefined || isTexts(value.profiles))

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === 'string')

const isPort = (value: unknown): boolean =>
  isRecord(value) &&
  (value.protocol === 'tcp' || value.protocol === 'udp') &&
  ['hostPort', 'port'].every((field) => Number.isInteger(value[field])) &&
  tryParseAddress(String(value.address)) !== undefined &&
  (value.address6 === undefined || familyOf(String(value.address6)) === 6) &&
  (value.hostAddress === undefined || familyOf(String(value.hostAddress)) !== undefined)
