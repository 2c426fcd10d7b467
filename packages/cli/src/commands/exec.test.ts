import { expect, it } from 'vitest'
import { terminalSize } from './exec.ts'

it.each([
  [
    { columns: 120, rows: 40 },
    { columns: 120, rows: 40 },
  ],
  [
    { columns: 0, rows: 0 },
    { columns: 80, rows: 24 },
  ],
  [{}, { columns: 80, rows: 24 }],
])('a terminal of %j is asked for as %j', (stream, size) => expect(terminalSize(stream)).toEqual(size))
