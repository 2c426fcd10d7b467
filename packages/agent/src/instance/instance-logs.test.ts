import type { InstanceStatus } from '@berth/core'
import { BerthError } from '@berth/core'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Engine, EngineLogLine, LogOptions } from '../engine/engine.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { instanceLogs } from './instance-logs.ts'
import { StatusBus } from './status-bus.ts'

/** One container's log, and whether it runs. */
class PretendedLog {
  lines: string[] = []
  running = false
  reads: LogOptions[] = []
  breaks = false
  #wake = Promise.withResolvers<void>()

  write(...lines: string[]): void {
    this.lines.push(...lines)
    this.change()
  }

  change(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }

  async *read(options: LogOptions): AsyncGenerator<EngineLogLine> {
    this.reads.push(options)
    const all = this.lines.length
    let index =
      options.after === undefined ? (options.tail === undefined ? 0 : all - options.tail) : Number(options.after) + 1
    for (;;) {
      for (; index < this.lines.length; index += 1) {
        yield { at: index, position: String(index), stream: 'stdout', line: this.lines[index] ?? '' }
      }
      if (this.breaks) throw new BerthError('engine.unreachable', 'socket hang up')
      if (!options.follow || !this.running || options.signal?.aborted === true) return
      await this.#wake.promise
    }
  }
}

let logs: Map<string, PretendedLog>
let status: InstanceStatus | undefined
const bus = new StatusBus()
const base: InstanceStatus = { id: 'web-1', node: 'n', phase: 'assigned', ready: false, restarts: 0 }

beforeEach(() => {
  logs = new Map([['c1', new PretendedLog()]])
  status = base
})

function become(change: Partial<InstanceStatus>): void {
  status = { ...base, ...change }
  bus.publish(status)
}

const log = (container = 'c1'): PretendedLog => logs.get(container) as PretendedLog

function follow(options: { tail?: number; follow?: boolean } = {}) {
  const abort = new AbortController()
  const seen: string[] = []
  const deps = {
    engine: { logs: (id: string, read: LogOptions) => log(id).read(read) } as unknown as Engine,
    bus,
    status: (id: string) => (id === 'web-1' ? status : undefined),
    looked: async () => undefined,
    engineUp: async () => undefined,
  }
  const done = (async () => {
    for await (const { line } of instanceLogs(deps, 'web-1', { follow: true, ...options, signal: abort.signal }))
      seen.push(line)
  })()
  return { seen, done, abort }
}

describe('instanceLogs', () => {
  it('ends at once when it is not to follow', async () => {
    log().write('one', 'two', 'three')
    become({ phase: 'running', containerId: 'c1', startedAt: 1 })
    const { seen, done } = follow({ follow: false, tail: 2 })
    await done
    expect(seen).toEqual(['two', 'three'])
  })

  it('waits for a container, and misses no run however short', async () => {
    const { seen, done } = follow()
    become({ phase: 'assigned', containerId: 'c1' })
    await waitUntil('the first look', () => log().reads.length > 0)
    log().write('a job of a moment')
    become({ phase: 'ended', containerId: 'c1', lastExit: { code: 0, outOfMemory: false, at: 2 } })
    await done
    expect(seen).toEqual(['a job of a moment'])
  })

  it('goes on over restarts of one container, and over another container', async () => {
    logs.set('c2', new PretendedLog())
    log().running = true
    log().write('first run')
    become({ phase: 'running', containerId: 'c1', startedAt: 1 })
    const { seen, done } = follow()
    await waitUntil('the first line', () => seen.length === 1)
    log().running = false
    log().change()
    become({ phase: 'running', containerId: 'c1', lastExit: { code: 1, outOfMemory: false, at: 2 } })
    log().running = true
    log().write('second run')
    become({ phase: 'running', containerId: 'c1', startedAt: 3 })
    await waitUntil('the second line', () => seen.length === 2)
    log().running = false
    log().change()
    become({ phase: 'running' })
    log('c2').write('third run')
    become({ phase: 'running', containerId: 'c2', startedAt: 4 })
    await waitUntil('the third line', () => seen.length === 3)
    become({ phase: 'ended' })
    await done
    expect(seen).toEqual(['first run', 'second run', 'third run'])
  })

  it('goes on where it was when Docker went away', async () => {
    log().running = true
    log().write('before')
    become({ phase: 'running', containerId: 'c1', startedAt: 1 })
    const { seen, done, abort } = follow()
    await waitUntil('the first line', () => seen.length === 1)
    log().breaks = true
    log().change()
    await waitUntil('another try', () => log().reads.length > 2)
    log().breaks = false
    log().write('after')
    await waitUntil('the second line', () => seen.length === 2)
    abort.abort()
    log().change()
    await done
    expect(seen).toEqual(['before', 'after'])
    expect(log().reads.at(-1)?.after).toBe('0')
  })

  it('says that the instance is not here', async () => {
    status = undefined
    await expect(follow().done).rejects.toMatchObject({ code: 'instance.not-found' })
  })
})
