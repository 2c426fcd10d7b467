import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export interface LoadReport {
  readonly requests: number
  readonly failures: readonly string[]
  readonly perSecond: number
  /** Milliseconds, sorted. */
  readonly latencies: readonly number[]
}

export interface Load {
  readonly requests: () => number
  stop(): Promise<LoadReport>
}

export interface LoadOptions {
  readonly connections?: number
  readonly host?: string
  readonly maxMs?: number
  /**
   * Between an answer and the next request of a connection. Default: so long that there is a request every 2 to 3 ms, which leaves time
   * for what is tested. 0: as many as the machine can.
   */
  readonly pauseMs?: number
  readonly onBody?: (body: string) => void
  /** False: each request has a connection of its own. */
  readonly keepAlive?: boolean
}

/** Keeps asking by `connections` connections (keep-alive, if not told otherwise) until stopped; every answer but 200 is a failure, with its reason. */
export function startLoad(url: string, options: LoadOptions = {}): Load {
  const { connections = 16, maxMs = 120_000, pauseMs = 2.5 * connections } = options
  const agent = new Agent({ keepAlive: options.keepAlive ?? true, maxSockets: connections })
  const started = performance.now()
  const failures: string[] = []
  const latencies: number[] = []
  let stopped = false
  const worker = async () => {
    while (!stopped && performance.now() - started < maxMs) {
      const at = performance.now()
      const problem = await once(url, agent, options)
      latencies.push(performance.now() - at)
      if (problem !== undefined) failures.push(`${((performance.now() - started) / 1000).toFixed(2)}s ${problem}`)
      if (pauseMs > 0) await delay(pauseMs)
    }
  }
  const workers = Array.from({ length: connections }, worker)
  return {
    requests: () => latencies.length,
    async stop() {
      stopped = true
      await Promise.all(workers)
      agent.destroy()
      const seconds = (performance.now() - started) / 1000
      return {
        requests: latencies.length,
        failures,
        perSecond: latencies.length / seconds,
        latencies: latencies.sort((a, b) => a - b),
      }
    },
  }
}

function once(url: string, agent: Agent, { host, onBody }: LoadOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request(url, { agent, timeout: 10_000, headers: host === undefined ? {} : { host } }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        body += chunk
      })
      response.once('end', () => {
        onBody?.(body)
        resolve(response.statusCode === 200 ? undefined : `status ${response.statusCode}: ${body.slice(0, 80)}`)
      })
      response.once('error', (error) => resolve(error.message))
    })
    call.once('timeout', () => call.destroy(new Error('no answer within 10 s')))
    call.once('error', (error) => resolve(error.message))
    call.end()
  })
}

/**
 * Waits for a condition, as long as a busy machine may need; fails with what it was and the last error. It looks at most `longestPauseMs`
 * after the last time: less for who has to see what is there for a moment only.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
  longestPauseMs = 500,
): Promise<T> {
  const begun = Date.now()
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      last = error
    }
    const waitedMs = Date.now() - begun
    if (waitedMs > timeoutMs)
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}${last === undefined ? '' : `: ${last}`}`)
    // To look takes the time of what is waited for.
    await delay(Math.min(longestPauseMs, 20 + waitedMs / 20))
  }
}

/** Runs at most `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
