import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createStyle } from '../output/style.ts'
import { readExecutable } from './executable.ts'
import { inParallel } from './in-parallel.ts'
import { type MachineDefaults, parseInventory, twinsIn } from './inventory.ts'
import { PackedExecutable } from './packed-executable.ts'
import { ProgressBoard } from './progress-board.ts'
import { countLine } from './progress-count.ts'
import { requireGroups } from './require-groups.ts'
import { findingLines } from './summary.ts'

const defaults: MachineDefaults = {
  ...{
    user: 'me',
    port: 22,
    login: { password: 'x' },
    labels: { from: 'line' },
    gateway: true,
    httpPort: 80,
    httpsPort: 443,
  },
}
const read = (text: string) => parseInventory(text, 'hosts.yaml', defaults)

describe('an inventory', () => {
  it('is hosts, with defaults for them, with those of the command line', async () => {
    const text = `
defaults: {user: root, gateway: false, network: routed, labels: {site: north}}
hosts:
  - 10.0.0.5
  - {host: "ann@shed-2:2222", node: shed-2, address: 10.0.0.6, group: fast, key: /k, network: bridge, labels: {rack: 7, site: south}}
  - {host: shed-3, port: 23, gateway: true, hostKey: "SHA256:x", httpPort: 8080, httpsPort: 0}
`
    const [first, second, third, ...more] = await read(text)
    expect(more).toEqual([])
    expect(first).toMatchObject({
      target: { user: 'root', host: '10.0.0.5', port: 22 },
      gateway: false,
      network: 'routed',
      labels: { from: 'line', site: 'north' },
    })
    expect(second).toMatchObject({
      ...{
        target: { user: 'ann', host: 'shed-2', port: 2222 },
        node: 'shed-2',
        address: '10.0.0.6',
        group: 'fast',
        network: 'bridge',
      },
      ...{ login: { password: 'x', keyFile: '/k' }, labels: { from: 'line', site: 'south', rack: '7' } },
    })
    expect(third).toMatchObject({
      target: { user: 'root', host: 'shed-3', port: 23 },
      gateway: true,
      hostKey: 'SHA256:x',
      httpPort: 8080,
      httpsPort: 0,
    })
  })

  it('names only node groups that there are', async () => {
    const entries = await read(
      'hosts: [{host: a, group: fast}, {host: b, group: slow}, {host: c}, {host: d, group: slow}]',
    )
    expect(() => requireGroups(entries, ['default', 'fast', 'slow'])).not.toThrow()
    expect(() => requireGroups(entries, ['default', 'fast'])).toThrow(
      'no node group slow; there are: default, fast. Make it first: berth group create slow',
    )
  })

  it('says everything that is wrong with it at once', async () => {
    const text = `
default: {}
defaults: {usr: root, password: hunter2}
hosts:
  - {lables: {a: b}, host: a}
  - {host: a, port: 70000, gateway: maybe, network: routd}
  - {node: n}
  - {host: "a b"}
  - [x]
  - {host: c, labels: [d]}
`
    const error = await read(text).catch((each: unknown) => each as { code: string; message: string })
    expect(error).toMatchObject({ code: 'usage.inventory' })
    for (const words of [
      'default: is not known; did you mean defaults?',
      'defaults.usr: is not known; did you mean user?',
      'defaults.password: is not known; give --password-file',
      'hosts[0].lables: is not known; did you mean labels?',
      'hosts[1].port: write a port',
      'hosts[1].gateway: write true or false',
      'hosts[1].network: write bridge or routed',
      'hosts[2].host: is missing',
      'hosts[3].host: a b is no machine',
      'hosts[4]: write a host name',
      'hosts[5].labels: write a mapping',
    ])
      expect((error as { message: string }).message).toContain(words)
    expect((error as { message: string }).message).not.toContain('hunter2')
  })

  it.each([
    ['', 'write a mapping with hosts'],
    ['hosts: []', 'hosts: write a list with at least one host'],
    ['hosts: [a, a]', 'host a:22 is there twice'],
    ['hosts: [{host: a, node: n}, {host: b, node: n}]', 'node n is there twice'],
    ['hosts: [a', 'hosts.yaml:'],
    ['hosts: [a]\nhosts: [b]', 'unique'],
  ])('%j is none', async (text, words) => {
    await expect(read(text)).rejects.toThrow(words)
  })
})

it('a machine that is named twice is told, however it is written', () => {
  const at = (host: string, port = 22) => ({ target: { user: 'me', host, port } })
  expect(twinsIn([at('a'), at('b'), at('a'), at('a')])).toEqual(['host a:22 is there twice'])
  expect(twinsIn([at('a'), at('a', 2222), { ...at('c'), node: 'n' }])).toEqual([])
})

it('so many at a time, each to its end, in order', async () => {
  let running = 0
  let most = 0
  const outcomes = await inParallel([5, 1, 3, 0, 2, 4], 3, async (turns) => {
    running += 1
    most = Math.max(most, running)
    for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate)
    running -= 1
    if (turns === 3) throw new Error('three')
    return turns
  })
  expect(most).toBe(3)
  expect(outcomes.map((each) => (each.status === 'fulfilled' ? each.value : 'failed'))).toEqual([
    5,
    1,
    'failed',
    0,
    2,
    4,
  ])
})

describe('progress', () => {
  const write = (isTTY: boolean) => {
    let text = ''
    const add = (part: string) => {
      text += part
    }
    const output = { isTTY, columns: 30, rows: 4, write: add }
    return { output: output as unknown as NodeJS.WriteStream, said: () => text }
  }

  it('is a line a step in a log', () => {
    const { output, said } = write(false)
    const board = new ProgressBoard(['a', 'long-name'], createStyle(false), output)
    board.say('a', 'running', 'gets the executable', '1 %')
    board.say('a', 'running', 'gets the executable', '2 %')
    board.say('long-name', 'failed', 'no')
    board.say('a', 'done', 'is online')
    expect(said().split('\n')).toEqual([
      '… a          gets the executable 1 %',
      '✘ long-name  no',
      '✔ a          is online',
      '',
    ])
  })

  it('of many machines is a line for each that has ended', () => {
    const { output, said } = write(false)
    const names = Array.from({ length: 200 }, (_, index) => `host-${index}`)
    using board = new ProgressBoard(names, createStyle(false), output)
    for (const name of names) board.say(name, 'running', 'logs in')
    board.say('host-7', 'failed', 'no')
    board.say('host-8', 'done', 'is online')
    expect(said().split('\n')).toEqual(['✘ host-7    no', '✔ host-8    is online', ''])
    expect(board.toldWhy).toBe(false)
  })

  it('is counted', () => {
    const lines = [
      { mark: 'done', step: 'is online' },
      { mark: 'running', step: 'joins' },
      { mark: 'running', step: 'joins' },
      { mark: 'running', step: 'logs in' },
    ] as const
    expect(countLine(9, lines)).toBe('1 of 9 done, 3 under way (2 joins, 1 logs in), 5 wait')
    expect(countLine(2, [lines[0], { mark: 'failed', step: 'why' }])).toBe('1 of 2 done, 1 failed')
  })

  it('is drawn in place at a terminal, and never wider or higher than it', () => {
    const { output, said } = write(true)
    const names = Array.from({ length: 9 }, (_, index) => `host-${index}`)
    const board = new ProgressBoard(names, createStyle(true), output)
    for (const name of names) board.say(name, 'done', 'x'.repeat(80))
    board[Symbol.dispose]()
    board.say('host-4', 'failed', 'why')
    board[Symbol.dispose]()
    const last = said().slice(said().lastIndexOf('\u001b[3A'))
    expect(last).toContain('host-4')
    expect(last).toContain('8 of 9 done, 1 failed')
    const lines = last.split('\n').slice(0, -1)
    expect(lines).toHaveLength(3)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken away
    for (const line of lines) expect(line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').length).toBeLessThan(30)
  })

  it('stands still while somebody is asked, and goes on below the question', async () => {
    const { output, said } = write(true)
    const board = new ProgressBoard(['a', 'b'], createStyle(true), output)
    board.say('a', 'running', 'logs in')
    await board.whileAsking(async () => {
      const before = said()
      board.say('b', 'running', 'logs in')
      board[Symbol.dispose]()
      expect(said()).toBe(before)
    })
    const before = said().length
    board[Symbol.dispose]()
    expect(said().slice(before)).toContain('b')
    expect(said().slice(before)).not.toContain('\u001b[3A')
  })
})

it('what was found at many machines is said once', () => {
  const finding = { kind: 'warning', what: 'no live-restore', remedy: 'set it' } as const
  const done = Array.from({ length: 200 }, (_, index) => ({ node: `n${index}`, findings: [finding] }))
  const other = { node: 'x', findings: [{ ...finding, what: 'its clock is 7 s behind' }] }
  expect(findingLines([...done, other])).toEqual([
    'n0, n1, n2 and 197 more: no live-restore: set it',
    'x: its clock is 7 s behind: set it',
  ])
})

it('the executable is packed once for all, when one needs it, and read by many at once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-pack-'))
  try {
    const path = join(dir, 'berth')
    writeFileSync(path, 'berth'.repeat(100_000))
    const executable = { path, bytes: 500_000, sha256: '', architecture: 'x64' }
    const packed = new PackedExecutable(executable, AbortSignal.timeout(20_000))
    const [one, two] = await Promise.all([packed.file(), packed.file()])
    expect(two).toBe(one)
    const read = async () => Buffer.concat(await Array.fromAsync(one?.read() ?? []))
    for (const bytes of await Promise.all([read(), read()])) {
      expect(bytes).toHaveLength(one?.bytes ?? -1)
      expect(gunzipSync(bytes).equals(readFileSync(path))).toBe(true)
    }
    await packed[Symbol.asyncDispose]()
    const none = new PackedExecutable({ ...executable, path: join(dir, 'none') }, AbortSignal.timeout(20_000))
    expect(await none.file()).toBeUndefined()
    await none[Symbol.asyncDispose]()
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it('only an executable of Linux is one, and its architecture is read from it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-executable-'))
  try {
    const elf = (machine: number) => {
      const bytes = Buffer.alloc(64)
      bytes.write('\x7fELF', 'latin1')
      bytes.writeUInt16LE(machine, 18)
      return bytes
    }
    const put = (name: string, bytes: string | Buffer) => {
      writeFileSync(join(dir, name), bytes)
      return join(dir, name)
    }
    expect(await readExecutable(put('x', elf(62)))).toMatchObject({ architecture: 'x64', bytes: 64 })
    expect(await readExecutable(put('arm', elf(183)))).toMatchObject({ architecture: 'arm64' })
    await expect(readExecutable(put('script', '#!/bin/sh\n'))).rejects.toMatchObject({ code: 'node.no-executable' })
    await expect(readExecutable(join(dir, 'none'))).rejects.toMatchObject({ code: 'node.no-executable' })
  } finally {
    rmSync(dir, { recursive: true })
  }
})
