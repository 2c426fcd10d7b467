import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import type { Engine, EngineEvent, EngineInfo, EventOptions } from './engine.ts'
import { timeoutError } from './engine-error.ts'
import { EngineWatch, type EngineWatchOptions } from './engine-watch.ts'

/** An engine that can be killed, hang, and send events. */
class PretendedEngine {
  isUp = true
  hangs = false
  subscriptions: EventOptions[] = []
  #end: ((error: Error) => void) | undefined
  #push: ((event: EngineEvent) => void) | undefined

  async info(): Promise<EngineInfo> {
    if (!this.isUp) throw new Error('connection refused')
    return { version: '26.1', api: '1.45' } as EngineInfo
  }

  async ping(): Promise<void> {
    if (this.hangs) throw timeoutError('ping Docker', 10)
  }

  async *events(options: EventOptions): AsyncGenerator<EngineEvent> {
    this.subscriptions.push(options)
    options.onOpen?.()
    for (;;) {
      yield await new Promise<EngineEvent>((resolve, reject) => {
        this.#push = resolve
        this.#end = reject
        options.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true })
      })
    }
  }

  kill(): void {
    this.isUp = false
    this.#end?.(new Error('socket hang up'))
  }

  send(at: number): void {
    this.#push?.({ type: 'start', containerId: 'c1', labels: {}, at })
  }
}

function watch(engine: PretendedEngine, over: Partial<EngineWatchOptions> = {}) {
  const seen = { ups: 0, resyncs: 0, events: [] as EngineEvent[], problem: undefined as string | undefined }
  const watching = new EngineWatch({
    engine: engine as unknown as Engine,
    label: 'berth.instance',
    log: pino({ level: 'silent' }),
    onUp: async () => {
      seen.ups += 1
    },
    onEvent: (event) => seen.events.push(event),
    onResync: async () => {
      seen.resyncs += 1
    },
    onProblem: (problem) => {
      seen.problem = problem
    },
    heartbeatMs: 10,
    ...over,
  })
  return { watching, seen }
}

const forever = new AbortController().signal

describe('EngineWatch', () => {
  it('is up after the list that follows its subscription', async () => {
    const engine = new PretendedEngine()
    const list = Promise.withResolvers<void>()
    const { watching } = watch(engine, { onUp: () => list.promise })
    await using _watching = watching
    await waitUntil('the subscription', () => engine.subscriptions.length === 1)
    expect(watching.isUp).toBe(false)
    list.resolve()
    await watching.up(forever)
    expect(watching.isUp).toBe(true)
  })

  it('begins anew when the engine was killed, with the events since', async () => {
    const engine = new PretendedEngine()
    const { watching, seen } = watch(engine)
    await using _watching = watching
    await watching.up(forever)
    engine.send(1234)
    await waitUntil('the event', () => seen.events.length === 1)
    engine.kill()
    await waitUntil('the problem', () => seen.problem?.includes('connection refused'))
    expect(watching.isUp).toBe(false)
    engine.isUp = true
    await watching.up(forever)
    expect(seen).toMatchObject({ ups: 2, problem: undefined })
    expect(engine.subscriptions.at(-1)?.sinceMs).toBe(1234)
  })

  it('finds out that the engine hangs', async () => {
    const engine = new PretendedEngine()
    const { watching, seen } = watch(engine)
    await using _watching = watching
    await watching.up(forever)
    engine.hangs = true
    engine.isUp = false
    await waitUntil('the problem', () => seen.problem?.startsWith('Docker does not answer'))
    expect(watching.isUp).toBe(false)
  })

  it('looks again now and then', async () => {
    const { watching, seen } = watch(new PretendedEngine(), { resyncMs: 20 })
    await using _watching = watching
    await waitUntil('two looks', () => seen.resyncs >= 2)
    expect(seen.ups).toBe(1)
  })

  it('lets go of who waits when they give up', async () => {
    const engine = new PretendedEngine()
    engine.isUp = false
    const { watching } = watch(engine)
    await using _watching = watching
    const abort = new AbortController()
    const waiting = watching.up(abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})
