import { describe, expect, it } from 'vitest'
import { mustRun, runCommand } from './run-command.ts'

describe('runCommand', () => {
  it('gives input, output and exit code', async () => {
    expect(await runCommand('cat', [], { input: 'a line\n' })).toEqual({ code: 0, stdout: 'a line\n', stderr: '' })
    expect(await runCommand('sh', ['-c', 'echo bad >&2; exit 3'])).toEqual({ code: 3, stdout: '', stderr: 'bad\n' })
  })

  it('bears a program that ends without reading its input', async () => {
    expect((await runCommand('true', [], { input: 'x'.repeat(1_000_000) })).code).toBe(0)
  })

  it('names a program that is missing', async () => {
    await expect(runCommand('no-such-program', [])).rejects.toMatchObject({ code: 'network.command-missing' })
  })

  it('ends a program that takes too long, or that is aborted', async () => {
    await expect(runCommand('sleep', ['30'], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'network.command-failed',
      message: 'run sleep: it did not end in time',
    })
    const reason = new Error('enough')
    const abort = new AbortController()
    const running = runCommand('sleep', ['30'], { signal: abort.signal })
    abort.abort(reason)
    await expect(running).rejects.toBe(reason)
    await expect(runCommand('true', [], { signal: abort.signal })).rejects.toBe(reason)
  })
})

describe('mustRun', () => {
  it('fails with what the program said', async () => {
    await expect(mustRun(runCommand, 'sh', ['-c', 'echo no room >&2; exit 2'])).rejects.toMatchObject({
      code: 'network.command-failed',
      message: 'sh -c echo no room >&2; exit 2: exit code 2: no room',
      details: { code: 2, stderr: 'no room' },
    })
  })
})
