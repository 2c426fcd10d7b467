/** Calls the listener at once, or once for all that comes within the pause. */
export function calm(listener: () => void, pauseMs: () => number): { notify(): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = () => {
    timer = undefined
    listener()
  }
  return {
    notify: () => {
      if (timer !== undefined) return
      const ms = pauseMs()
      if (ms === 0) listener()
      else timer = setTimeout(late, ms)
    },
    stop: () => clearTimeout(timer),
  }
}
