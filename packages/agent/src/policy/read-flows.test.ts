import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, runCommand } from '../network/run-command.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { PacketRange, packetKey } from './packet-range.testing.ts'
import { mostFlows, readFlows } from './read-flows.ts'

const [client, database] = ['10.77.2.2', '10.77.1.2']
const here = new Set([database])
let range: PacketRange
let directory: string
beforeAll(async () => {
  range = await PacketRange.create([client])
  // Without a rule that asks for it the kernel tracks nothing.
  range.router.nft(
    'add table inet track\nadd chain inet track f { type filter hook forward priority 0; }\nadd rule inet track f ct state new accept\n',
  )
  directory = mkdtempSync(join(tmpdir(), 'berth-flows-'))
})
afterAll(async () => {
  await range[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})
const exec: Exec = (file, args, options) => runCommand(...range.router.inside(file, ...args), options)
const noProgram: Exec = async () => {
  throw new BerthError('network.command-missing', 'run conntrack: it is not installed')
}

describe('readFlows', () => {
  it.each(['the file of the kernel', 'the program conntrack'])(
    'tells the flows of a real kernel by %s',
    async (way) => {
      const protocol = 'udp'
      const sourcePort = way.startsWith('the file') ? 31_001 : 31_002
      const packet = { source: client, destination: database, protocol, sourcePort, destinationPort: 53 }
      const other = { ...packet, destination: '10.77.1.9' }
      await range.send([packet, other], new Set([packetKey(packet), packetKey(other)]))
      const path = way.startsWith('the file') ? `/proc/${range.router.pid}/net/nf_conntrack` : '/proc/none'
      const read = () => readFlows({ here, exec, path })
      await waitUntil(
        'the flow',
        async () => (await read()).flows.some((flow) => flow.sourcePort === sourcePort),
        20_000,
      )
      const { flows, more } = await read()
      expect(flows.find((flow) => flow.sourcePort === sourcePort)).toEqual({ ...packet, isAnswered: false })
      expect(flows.map(({ destination }) => destination)).not.toContain('10.77.1.9')
      expect(more).toBe(0)
      expect((await readFlows({ here, of: new Set(['10.77.1.9']), exec, path })).flows).toEqual([])
      expect((await readFlows({ here, of: new Set([client]), exec, path })).flows.length).toBeGreaterThan(0)
    },
  )

  it('says what is missing where neither is there', async () => {
    const read = readFlows({ here, exec: noProgram, path: join(directory, 'none') })
    await expect(read).rejects.toMatchObject({ code: 'policy.no-conntrack' })
    expect(await readFlows({ here: new Set(), exec: noProgram, path: join(directory, 'none') })).toEqual({
      ...{ flows: [], more: 0 },
    })
  })

  it('is bounded, and takes no harm from lines that it does not know', async () => {
    const path = join(directory, 'many')
    const line = (port: number): string =>
      `ipv4 2 udp 17 29 src=${client} dst=${database} sport=${port} dport=53 src=${database} dst=${client} sport=53 dport=${port} use=1`
    const lines = Array.from({ length: mostFlows + 5 }, (_, index) => line(index + 1))
    writeFileSync(path, ['what is this', ...lines, ''].join('\n'))
    const { flows, more } = await readFlows({ here, exec, path })
    expect(flows).toHaveLength(mostFlows)
    expect(more).toBe(5)
  })
})
