import type { measureDirectories } from './disk-usage.ts'

/** One run of an instance that was granted so much of the disk. */
export interface DiskSubject {
  readonly instance: string
  readonly containerId: string
  /** Identity of the run. */
  readonly startedAt: number
  /** On the host, beside those that the engine knows. */
  readonly persist: string
}

/** Where the engine keeps what a container writes. */
export interface DiskPlaces {
  /** Absent where only the engine can tell its size. */
  readonly layerDirectory?: string
  readonly logDirectory?: string
}

export interface DiskWatchOptions {
  /** Running instances with a grant of disk; others cost nothing. */
  readonly subjects: () => readonly DiskSubject[]
  /** undefined when it is gone. */
  readonly placesOf: (containerId: string, signal: AbortSignal) => Promise<DiskPlaces | undefined>
  /** undefined when the engine sees to it by itself. */
  readonly layerBytesOf: (containerId: string, signal: AbortSignal) => Promise<number | undefined>
  readonly measure: typeof measureDirectories
  readonly onUsed: (subject: DiskSubject, usedBytes: number) => void
  readonly intervalMs: number
  /** The looks take no more than this share of the time, however many files there are. */
  readonly maxShare: number
}

/**
 * Looks now and then at what instances with a grant of disk use of it: their writable layer, their log and their `/persist`. One process
 * measures them all; where there is no grant there is none.
 */
export class DiskWatch {
  readonly #options: DiskWatchOptions
  /** By container. */
  readonly #places = new Map<string, DiskPlaces>()
  #tookMs = 0

  constructor(options: DiskWatchOptions) {
    this.#options = options
  }

  /** Until the next look is due. */
  get pauseMs(): number {
    return Math.max(this.#options.intervalMs, this.#tookMs / this.#options.maxShare)
  }

  async look(signal: AbortSignal): Promise<void> {
    const subjects = this.#options.subjects()
    this.#forgetAllBut(subjects)
    const owned = new Map<DiskSubject, DiskPlaces>()
    for (const subject of subjects) {
      const places = await this.#placesOf(subject.containerId, signal)
      if (places !== undefined) owned.set(subject, places)
    }
    const startedAt = performance.now()
    const directories = [...owned].flatMap(([subject, places]) => directoriesOf(subject, places))
    const usage = await this.#options.measure(directories, { signal })
    for (const [subject, places] of owned) {
      const hidden = places.layerDirectory === undefined ? await this.#layerBytes(subject, signal) : 0
      const used = directoriesOf(subject, places).reduce((sum, each) => sum + (usage.get(each) ?? 0), hidden)
      this.#options.onUsed(subject, used)
    }
    this.#tookMs = performance.now() - startedAt
  }

  async #placesOf(containerId: string, signal: AbortSignal): Promise<DiskPlaces | undefined> {
    const known = this.#places.get(containerId)
    if (known !== undefined) return known
    const found = await this.#options.placesOf(containerId, signal)
    if (found === undefined) return undefined
    const { layerDirectory, logDirectory } = found
    const places = { ...(layerDirectory && { layerDirectory }), ...(logDirectory && { logDirectory }) }
    this.#places.set(containerId, places)
    return places
  }

  async #layerBytes({ containerId }: DiskSubject, signal: AbortSignal): Promise<number> {
    return (await this.#options.layerBytesOf(containerId, signal)) ?? 0
  }

  #forgetAllBut(subjects: readonly DiskSubject[]): void {
    const living = new Set(subjects.map(({ containerId }) => containerId))
    for (const containerId of this.#places.keys()) if (!living.has(containerId)) this.#places.delete(containerId)
  }
}

const directoriesOf = ({ persist }: DiskSubject, { layerDirectory, logDirectory }: DiskPlaces): string[] =>
  [layerDirectory, logDirectory, persist].filter((each) => each !== undefined)
