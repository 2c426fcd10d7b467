import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { baseImageSource, fileIdentity } from './base-image.ts'
import { minimalEnvironment, mustRun } from './command.ts'

export interface ImageStockOptions {
  readonly dockerdPath: string | null
  readonly usrLayer: string | null
  /** Kept between labs. */
  readonly dir?: string
}

const DEFAULT_DIR = '/var/cache/berth-lab/images'
const STALE_MS = 86_400_000
const DAEMON = 'dockerd'

/**
 * The base images as a Docker Engine has them on its disk, for hosts whose dockerd has not started yet: the first host that has loaded them
 * leaves them to all that follow with the same Docker. Files of layers are never written to, so they are shared (hard links); what
 * dockerd does write is copied.
 */
export class ImageStock {
  readonly #options: ImageStockOptions
  readonly #dir: string

  constructor(options: ImageStockOptions) {
    this.#options = options
    this.#dir = options.dir ?? DEFAULT_DIR
  }

  /** Into an empty `/var/lib/docker`. False: nobody has left anything yet. */
  async layInto(dockerDir: string): Promise<boolean> {
    const place = await this.#place()
    if (!existsSync(place)) return false
    const now = new Date()
    await utimes(place, now, now)
    await copyStock(place, dockerDir)
    return true
  }

  /** From a dockerd that has just loaded them, and has made nothing of them yet. */
  async keep(dockerDir: string): Promise<void> {
    const place = await this.#place()
    if (existsSync(place) || !existsSync(join(dockerDir, LAYERS))) return
    await mkdir(this.#dir, { recursive: true })
    await this.#removeStale()
    const staged = await mkdtemp(join(this.#dir, '.staged-'))
    await copyStock(dockerDir, staged)
    // Another host may have been faster: then its own is there, and as good.
    await rename(staged, place).catch(() => rm(staged, { recursive: true, force: true }))
  }

  /** Of other Dockers or other images, and what was never finished. */
  async #removeStale(): Promise<void> {
    for (const name of await readdir(this.#dir)) {
      const path = join(this.#dir, name)
      const modified = (await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now()
      if (Date.now() - modified > STALE_MS) await rm(path, { recursive: true, force: true })
    }
  }

  /** Other images or another dockerd have another place. */
  async #place(): Promise<string> {
    const daemon = this.#daemon()
    const identity = [await baseImageSource(), daemon, daemon === undefined ? undefined : await fileIdentity(daemon)]
    return join(this.#dir, createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32))
  }

  #daemon(): string | undefined {
    const { dockerdPath, usrLayer } = this.#options
    if (dockerdPath !== null) return dockerdPath
    const { PATH = '' } = minimalEnvironment()
    const layered = usrLayer === null ? [] : ['sbin', 'bin'].map((folder) => join(usrLayer, folder))
    return [...layered, ...PATH.split(delimiter)].map((folder) => join(folder, DAEMON)).find((path) => existsSync(path))
  }
}

const METADATA = 'image'
/** Of the only storage driver that keeps layers as plain directories which nobody writes to. */
const LAYERS = 'overlay2'

const copyStock = async (from: string, to: string): Promise<void> => {
  await mustRun(['cp', '-a', join(from, METADATA), to])
  const layers = join(from, LAYERS)
  // Another disk has no links to this one.
  await mustRun(['cp', '-al', layers, to]).catch(() => mustRun(['cp', '-a', layers, to]))
}
