import { type FSWatcher, mkdirSync, watch } from 'node:fs'

const anewEveryMs = 1_000

/**
 * Tells of changes in a directory, which is made if need be: the name of what changed, where that is known, and nothing once a second.
 * For notifications end when the directory is replaced, and never come when the host's limit of watches is reached.
 */
export function watchDirectory(directory: string, tell: (name?: string) => void): Disposable {
  let watcher: FSWatcher | undefined
  const begin = (): void => {
    watcher?.close()
    watcher = undefined
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      watcher = watch(directory, { persistent: false }, (_, name) => tell(name ?? undefined))
      watcher.on('error', () => undefined)
    } catch {
      // Once a second it is told of all the same.
    }
  }
  begin()
  const timer = setInterval(() => {
    begin()
    tell()
  }, anewEveryMs).unref()
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      watcher?.close()
    },
  }
}
