import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ExecRequest, ExecSession } from '../engine/engine.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { startHostCommand as startOn } from './host-command.ts'

const startHostCommand = (asked: ExecRequest) => startOn('h2', asked)

const request = (command: readonly string[], over: Partial<ExecRequest> = {}): ExecRequest => ({
  ...{ command, tty: false, stdin: true },
  ...over,
})

async function read(session: ExecSession): Promise<{ stdout: string; stderr: string; code: number }> {
  const said = { stdout: '', stderr: '' }
  for await (const { stream, data } of session.output) said[stream] += data.toString()
  return { ...said, code: await session.exitCode() }
}

const isAlive = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('a command on the node itself', () => {
  it('gives both its outputs and its exit code, and its words are no shell’s', async () => {
    await using session = await startHostCommand(request(['sh', '-c', 'echo "$0"; echo no >&2; exit 7', '$(id); `x`']))
    expect(await read(session)).toEqual({ stdout: '$(id); `x`\n', stderr: 'no\n', code: 7 })
  })

  it('takes input to its end', async () => {
    await using session = await startHostCommand(request(['sort']))
    await session.write(Buffer.from('b\na\n'))
    session.endInput()
    expect(await read(session)).toMatchObject({ stdout: 'a\nb\n', code: 0 })
  })

  it('gives back a lot without loss', async () => {
    await using session = await startHostCommand(request(['head', '-c', '3000000', '/dev/zero']))
    expect((await read(session)).stdout.length).toBe(3_000_000)
  })

  it('is ended, with what it has started, when nobody wants it any more', async () => {
    const session = await startHostCommand(request(['sh', '-c', 'sleep 600 & echo $!; wait']))
    let pid = 0
    for await (const { data } of session.output) {
      pid = Number(data.toString())
      break
    }
    expect(isAlive(pid)).toBe(true)
    await session[Symbol.asyncDispose]()
    await waitUntil('its child to end', () => !isAlive(pid))
  })

  it('says so when there is no such program, and tells a signal by its number', async () => {
    await expect(startHostCommand(request(['no-such-program']))).rejects.toMatchObject({
      code: 'node.command-not-found',
      message: expect.stringContaining('run no-such-program on node h2: there is no such program'),
    })
    await using session = await startHostCommand(request(['sh', '-c', 'kill -9 $$']))
    expect((await read(session)).code).toBe(137)
  })
})

describe('with a terminal', () => {
  const terminal = { tty: true, size: { columns: 101, rows: 33 } }

  it('has one, of the size that was asked for, and keeps its words', async () => {
    await using session = await startHostCommand(
      request(
        [
          'sh',
          '-c',
          'test -t 0 && test -t 1 && stty size && echo "$0" && env | grep -c BERTH_WORD; exit 5',
          'a "b" $c',
        ],
        terminal,
      ),
    )
    const { stdout, code } = await read(session)
    expect(stdout.replaceAll('\r', '')).toContain('33 101\na "b" $c\n0\n')
    expect(code).toBe(5)
  })

  it('is typed at, and tells its command of another size', async () => {
    await using session = await startHostCommand(
      request(
        ['sh', '-c', 'trap "stty size; exit 4" WINCH; read word; echo "got $word"; while :; do sleep 0.1; done'],
        terminal,
      ),
    )
    let said = ''
    const over = (async () => {
      for await (const { data } of session.output) said += data.toString()
    })()
    await session.write(Buffer.from('hello\n'))
    await waitUntil(
      'what was typed',
      () => said.includes('got hello\r\n'),
      20_000,
      () => said,
    )
    await session.resize({ columns: 91, rows: 20 })
    await over
    expect(said).toContain('20 91')
    expect(await session.exitCode()).toBe(4)
  })
})
