import { pino } from 'pino'
import { beforeEach, describe, expect, it } from 'vitest'
import { WriteTroubles } from './write-troubles.ts'

const full = new Error('database or disk is full')
let now: number
let said: string[]
let troubles: WriteTroubles

beforeEach(() => {
  now = 1_000_000
  said = []
  const log = pino({}, { write: (line) => void said.push(JSON.parse(line).msg) })
  troubles = new WriteTroubles({ log, now: () => now, repeatMs: 60_000 })
})

describe('troubles in writing', () => {
  it('are told of each node once, and of all together again after a while', () => {
    for (; now < 1_059_500; now += 500) for (const node of ['a', 'b', 'c', 'd', 'e']) troubles.failed(node, full)
    expect(said).toHaveLength(5)
    expect(said[0]).toContain('write the state of node a: database or disk is full')
    now += 500
    for (const node of ['a', 'b', 'c', 'd', 'e']) troubles.failed(node, full)
    expect(said.slice(5)).toEqual([
      'write the state of nodes a, b, c and 2 others, tried for 60 s: database or disk is full',
    ])
    for (; now < 1_240_000; now += 500) for (const node of ['a', 'b']) troubles.failed(node, full)
    expect(said).toHaveLength(8)
  })

  it('are over when the last node is written, and begin anew after that', () => {
    troubles.failed('a', full)
    troubles.failed('b', full)
    now += 73_000
    troubles.written('a')
    expect(said).toHaveLength(2)
    troubles.written('b')
    expect(said.slice(2)).toEqual(['the state of nodes is written again, after 73 s'])
    troubles.written('b')
    expect(said).toHaveLength(3)
    troubles.failed('a', full)
    expect(said.at(-1)).toContain('write the state of node a')
    now += 60_000
    troubles.failed('a', full)
    expect(said.at(-1)).toBe('write the state of node a, tried for 60 s: database or disk is full')
  })
})
