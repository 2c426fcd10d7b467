import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeStatus } from '@berth/core'
import { type UpgradeNote, upgradeNoteName } from './receive-executable.ts'

const abandonedMs = 10 * 60_000

/** What the node tells of its last upgrade. */
export class UpgradeWatch {
  readonly #path: string
  readonly #version: string
  #text = ''
  #note: UpgradeNote | undefined

  /** `version` is the one that runs. */
  constructor(directory: string, version: string) {
    this.#version = version
    this.#path = join(directory, upgradeNoteName)
    this.look()
  }

  get status(): NodeStatus['upgrade'] {
    if (this.#note === undefined) return undefined
    const { state, from, to, at, why } = this.#note
    const told = { from, to, at, ...(why === undefined ? {} : { why }) }
    if (state === 'done' || state === 'rolled-back') return { state, ...told }
    if (Date.now() - at < abandonedMs) return { state: 'switching', ...told }
    // Whoever watched over it is gone, as after a power cut: what runs now is what it has come to.
    return this.#version === to
      ? { state: 'done', ...told }
      : { state: 'rolled-back', ...told, why: 'it was interrupted' }
  }

  /** True when it has changed. */
  look(): boolean {
    let text = ''
    try {
      text = readFileSync(this.#path, 'utf8')
      if (text === this.#text) return false
      this.#note = JSON.parse(text) as UpgradeNote
    } catch {
      if (text === this.#text) return false
      this.#note = undefined
    }
    this.#text = text
    return true
  }
}
