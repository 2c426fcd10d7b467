import { PassThrough } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { guardOutput } from './guard-output.ts'

const failing = (code: string) => {
  const stream = new PassThrough()
  const codes: number[] = []
  guardOutput([stream as unknown as NodeJS.WriteStream], (exit) => void codes.push(exit))
  stream.emit('error', Object.assign(new Error(`${code}: write`), { code }))
  return codes
}

describe('output that cannot be written', () => {
  it('a reader that has gone ends the program well', () => expect(failing('EPIPE')).toEqual([0]))

  it('anything else is a failure that is told', () => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    expect(failing('ENOSPC')).toEqual([1])
    expect(written.mock.calls.join('')).toBe('error: write the output: ENOSPC: write\n')
    written.mockRestore()
  })
})
