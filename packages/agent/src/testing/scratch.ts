import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cgroupParentOf, removeScratch } from './scratch-removal.ts'

/** A shell waits, which costs next to nothing, and becomes the remover when its input ends. */
const waitThenRemove = 'while read -r _; do :; done; exec "$@"'

/**
 * A folder for one test, which goes with everything that was started around it (processes that name it, containers below its cgroup, mounts,
 * a network namespace of its name) when it is disposed of, and also when the process that made it dies, however it dies.
 */
export class Scratch implements AsyncDisposable {
  readonly dir: string
  /** For dockerd's `--cgroup-parent`. */
  readonly cgroupParent: string
  readonly #release: () => void

  /** `kind`: a word for the folder's name, `dockerd`. */
  constructor(kind: string) {
    this.dir = mkdtempSync(join(tmpdir(), `berth-${kind}-`))
    this.cgroupParent = cgroupParentOf(this.dir)
    const guardian = join(import.meta.dirname, 'scratch-guardian.ts')
    const argv = ['-c', waitThenRemove, 'sh', process.execPath, guardian, this.dir]
    // Apart from our process group, so that a Ctrl-C leaves it to its work.
    const child = spawn('/bin/sh', argv, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    child.on('error', () => undefined)
    child.stdin.on('error', () => undefined)
    child.unref()
    ;(child.stdin as unknown as { unref(): void }).unref()
    this.#release = () => void child.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeScratch(this.dir)
    this.#release()
  }
}
