import { PassThrough } from 'node:stream'
import { BerthError } from '@berth/core'
import { expect, it } from 'vitest'
import type { DockerCall, DockerClient } from './docker-client.ts'
import { startExec } from './docker-exec.ts'

it('a command that ends before its terminal has a size gives its output and its exit code', async () => {
  const client = {
    json: async ({ path, action }: DockerCall) => {
      // In the words of Docker 26; 20.10 has others.
      if (path.endsWith('/resize'))
        throw new BerthError('engine.failed', `${action}: cannot resize a stopped container: unknown`)
      return path.endsWith('/json') ? { Running: false, ExitCode: 7, Pid: 0 } : { Id: 'e1' }
    },
    hijack: async () => new PassThrough().end('done\r\n'),
  } as unknown as DockerClient
  const request = { command: ['true'], tty: true, stdin: true, size: { columns: 80, rows: 24 } }
  await using session = await startExec(client, 'c1', request, {})
  await session.resize({ columns: 120, rows: 40 })
  const output = await Array.fromAsync(session.output)
  expect(Buffer.concat(output.map(({ data }) => data)).toString()).toBe('done\r\n')
  expect(await session.exitCode()).toBe(7)
})
