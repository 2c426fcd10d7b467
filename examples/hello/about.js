/** What Berth tells an instance of itself; outside of it, what stands in for that. */
const { env } = process

export const about = {
  instance: env.BERTH_INSTANCE ?? 'on your machine',
  /** `web-3`: the last part of the instance's name. */
  name: env.BERTH_INSTANCE?.split('.').at(-1) ?? 'local',
  environment: env.BERTH_ENVIRONMENT ?? 'none',
  release: env.BERTH_RELEASE ?? 'no release',
  commit: env.BERTH_COMMIT?.slice(0, 7) || 'no commit',
  address: env.BERTH_ADDRESS ?? 'localhost',
  cpu: env.BERTH_CPU ?? 'all',
  memoryBytes: Number(env.BERTH_MEMORY ?? 0),
  greeting: env.GREETING ?? 'Hello',
  color: /^[#a-zA-Z0-9(),.% /-]{1,40}$/.test(env.COLOR ?? '') ? env.COLOR : '#2f6fed',
}

export const say = (text) => void process.stdout.write(`${text}\n`)

/** Calls `stop` once, when the instance is asked to end (Ctrl-C on your machine). */
export function onStop(stop) {
  const once = (signal) => {
    process.off('SIGTERM', once)
    process.off('SIGINT', once)
    stop(signal)
  }
  process.on('SIGTERM', once)
  process.on('SIGINT', once)
}
