import type { ToAgent } from '@berth/api'
import { expect, it } from 'vitest'
import { Outbox } from './outbox.ts'

const peer = (node: string, via = '1') => ({ node, block: node, via })
const peers = (revision: number, put: readonly ReturnType<typeof peer>[], gone: readonly string[] = []): ToAgent => ({
  ...{ type: 'peers', revision, put, gone },
})
const drain = (outbox: Outbox): ToAgent[] => {
  const lines: ToAgent[] = []
  for (let line = outbox.shift(); line !== undefined; line = outbox.shift()) lines.push(line)
  return lines
}

it('keeps the last of several lines about one thing, and all of what has changed', () => {
  const outbox = new Outbox(() => undefined)
  outbox.push({ type: 'ping', at: 1 })
  outbox.push(peers(1, [peer('a'), peer('b')]))
  outbox.push({ type: 'ping', at: 2 })
  outbox.push(peers(2, [peer('b', '2')], ['a', 'c']))
  expect(drain(outbox)).toEqual([{ type: 'ping', at: 2 }, peers(2, [peer('b', '2')], ['a', 'c'])])
  outbox.push(peers(3, [peer('d')]))
  outbox.push(peers(4, [peer('e')]))
  expect(drain(outbox)).toEqual([peers(4, [peer('d'), peer('e')])])
})
