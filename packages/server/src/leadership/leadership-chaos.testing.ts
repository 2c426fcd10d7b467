import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import type { OpenStoreUnderTest } from '../store/contract/store-under-test.ts'
import type { Store } from '../store/store.ts'
import { joinServer, type LeadingServer, testTimes } from './server-under-test.testing.ts'

/** What befalls one of three servers, and for how long. */
const deed = fc.record({
  server: fc.nat(2),
  what: fc.constantFrom('cut', 'slow', 'slow-answers', 'loses-answers', 'steps-down', 'heals'),
  thenMs: fc.nat(500),
})

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never

function befall({ store, leadership }: LeadingServer, what: Deed['what']): void {
  if (what === 'steps-down') leadership.stepDown('cluster', 'it was told to')
  store.isCut = what === 'cut'
  store.losesAnswers = what === 'loses-answers'
  store.keepAliveDelayMs = what === 'slow' ? testTimes.ttlMs : 0
  store.answerDelayMs = what === 'slow-answers' ? testTimes.ttlMs : 0
}

const counterKey = '/counter'

/** Whoever leads writes its term, again and again, and everybody is asked who leads. */
async function act(servers: readonly LeadingServer[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const active = servers.flatMap((server) => server.leadership.term('cluster') ?? [])
    expect(active.length).toBeLessThan(2)
    for (const { store, leadership } of servers) {
      const term = leadership.term('cluster')
      if (term === undefined) continue
      const operations = [{ type: 'put' as const, key: counterKey, value: String(term.number) }]
      void store.commit({ compare: [term.compare], operations }).catch(() => undefined)
    }
    await delay(5)
  }
}

async function termsThatWrote(store: Store, signal: AbortSignal): Promise<number[]> {
  const terms: number[] = []
  const last = (await store.get(counterKey)).kv?.modRevision ?? 0
  if (last === 0) return terms
  for await (const { changes, revision } of store.watch(counterKey, { fromRevision: 2, signal })) {
    for (const change of changes) if (change.type === 'put') terms.push(Number(change.kv.value))
    if (revision >= last) break
  }
  return terms
}

export function chaosContract(open: OpenStoreUnderTest): void {
  it('never has two leaders, and takes no commit of an earlier term after one of a later', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 3, maxLength: 10 }), async (deeds) => {
        await using test = await open()
        const stopping = new AbortController()
        await using stack = new AsyncDisposableStack()
        const servers: LeadingServer[] = []
        for (const name of ['a', 'b', 'c']) servers.push(stack.use(await joinServer(test.store, name)))
        const acting = act(servers, stopping.signal)
        for (const { server, what, thenMs } of deeds) {
          befall(servers[server] as LeadingServer, what)
          await delay(thenMs)
        }
        for (const server of servers) befall(server, 'heals')
        await eventually(() => expect(servers.some((each) => each.leadership.term('cluster'))).toBe(true))
        stopping.abort()
        await acting
        const terms = await termsThatWrote(test.store, AbortSignal.timeout(20_000))
        expect(terms).toEqual(terms.toSorted((a, b) => a - b))
        expect(terms.length).toBeGreaterThan(0)
      }),
      { numRuns: 8 },
    )
  })
}
