import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { json, type Query } from './consul-call.ts'
import { Outgoing, type Reply } from './consul-exchange.ts'
import { Topics } from './topics.ts'
import { WaitingCalls } from './waiting-calls.ts'

let topics: Topics
let values: Record<string, string>
let reads: number
let writes: number
let calls: WaitingCalls

const query = (key: string): Query => ({
  ...{ key, topic: `key ${key}` },
  index: () => topics.indexOf(`key ${key}`),
  answer: () => json(values[key]),
})

class Caller implements Reply {
  sent: Outgoing | undefined
  leave: () => void = () => {}

  get isOver(): boolean {
    return this.sent !== undefined
  }

  onGone(gone: () => void): void {
    this.leave = gone
  }

  send(outgoing: Outgoing): void {
    if (this.sent !== undefined) throw new Error('answered twice')
    this.sent = outgoing
  }
}

const wait = (key: string, form = 'leader', waitMs = 60_000): Caller => {
  const caller = new Caller()
  calls.add(query(key), form, caller, waitMs)
  return caller
}

let revision = 1
function set(key: string, value: string): void {
  values[key] = value
  revision += 1
  topics.touch(`key ${key}`, revision)
}

beforeEach(() => {
  values = { a: '0', b: '0' }
  topics = new Topics(1)
  reads = 0
  writes = 0
  calls = new WaitingCalls({
    topics,
    read: (asked) => {
      reads += 1
      return { index: asked.index(), answer: asked.answer() }
    },
    write: (form, { index, answer }) => {
      writes += 1
      return new Outgoing(200, ['X-Consul-Index', String(index), 'Form', form], answer.body)
    },
  })
})
afterEach(() => calls[Symbol.dispose]())

describe('calls that wait', () => {
  it('and ask the same are looked at once, and share one answer', () => {
    const [callers, others] = [
      Array.from({ length: 100 }, () => wait('a')),
      Array.from({ length: 100 }, () => wait('b')),
    ]
    const [readsBefore, people] = [reads, wait('a', 'leader pretty')]
    set('a', '1')
    expect(reads - readsBefore).toBeLessThan(5)
    expect(writes).toBe(2)
    expect(new Set(callers.map(({ sent }) => sent)).size).toBe(1)
    expect(callers[0]?.sent?.body).toBe('"1"')
    expect(people.sent).not.toBe(callers[0]?.sent)
    expect(others.every(({ sent }) => sent === undefined)).toBe(true)
    expect(calls.size).toBe(100)
  })

  it('go on where the answer is the same, and end when it is another later', () => {
    const caller = wait('a')
    set('a', '0')
    expect(caller.sent).toBeUndefined()
    set('a', '1')
    expect(caller.sent?.body).toBe('"1"')
    expect(calls.size).toBe(0)
  })

  it('are answered in slices when they are thousands, each once and with what is true then', async () => {
    const callers = Array.from({ length: 5_000 }, () => wait('a'))
    expect(calls.tellingSince).toBeUndefined()
    set('a', '1')
    expect(calls.size).toBeGreaterThan(0)
    expect(calls.tellingSince).toBeLessThanOrEqual(performance.now())
    // Who comes meanwhile knows the new one, and waits for the next.
    const late = wait('a')
    callers.at(-1)?.leave()
    set('a', '2')
    expect(late.sent?.body).toBe('"2"')
    await expect.poll(() => calls.size).toBe(0)
    expect(calls.tellingSince).toBeUndefined()
    expect(callers[0]?.sent?.body).toBe('"1"')
    expect(callers.at(-2)?.sent?.body).toBe('"2"')
    expect(callers.at(-1)?.sent).toBeUndefined()
    expect(callers.slice(0, -1).every(({ sent }) => sent !== undefined)).toBe(true)
  })

  it('are forgotten when their callers go, and nothing is looked at for them', () => {
    const caller = wait('a')
    caller.leave()
    expect(calls.size).toBe(0)
    expect(topics.isWaitedFor('key a')).toBe(false)
    set('a', '1')
    expect(caller.sent).toBeUndefined()
  })

  it('may go in any order, and only they are forgotten', () => {
    const callers = Array.from({ length: 7 }, () => wait('a'))
    for (const at of [0, 6, 3, 3]) callers[at]?.leave()
    expect(calls.size).toBe(4)
    set('a', '1')
    expect(callers.map(({ sent }) => sent !== undefined)).toEqual([false, true, true, false, true, true, false])
    expect(calls.size).toBe(0)
  })

  it('get what is when their time is up, or when all end', async () => {
    const [short, long] = [wait('a', 'leader', 50), wait('a')]
    await expect.poll(() => short.sent?.body).toBe('"0"')
    expect(long.sent).toBeUndefined()
    calls.end()
    expect(long.sent?.body).toBe('"0"')
  })
})
