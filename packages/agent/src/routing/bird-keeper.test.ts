import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BgpPlan, type BirdConfig6, renderBirdConfig } from '@berth/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand } from '../network/run-command.ts'
import { Scratch } from '../testing/scratch.ts'
import { askBird, isRefusal } from './bird-control.ts'
import { BirdKeeper } from './bird-keeper.ts'
import { NetSpace } from './net-space.testing.ts'
import { log } from './routed-node.testing.ts'

let scratch: Scratch
let space: NetSpace
beforeAll(async () => {
  scratch = new Scratch('bird')
  space = await NetSpace.make(scratch.dir)
})
afterAll(async () => {
  await space[Symbol.asyncDispose]()
  await scratch[Symbol.asyncDispose]()
})

const signal = AbortSignal.timeout(60_000)
const nodesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...{ name: `node-${index}-${'x'.repeat(30)}`, address: `10.1.${index}.1`, labels: {}, joinedAt: index },
  }))

/** Neighbours are those on its link; the node itself has an address that routers reach, or none. */
const ipv6Of = (number: number, nodes: readonly { readonly address: string }[]): BirdConfig6 => ({
  ...{ pools: ['fd77:1::a4d:0/112'], blocks: [`fd77:1::a4d:${number.toString(16)}00/120`, 'fd77:1::a4d:fa09/128'] },
  ...{ away: [`fd77:1::a4d:${number.toString(16)}07/128`], source: `fd77:1::a4d:${number.toString(16)}01` },
  ...(number % 2 === 0 ? { address: '2001:db8::1' } : {}),
  neighbours: nodes.map(({ address }) => ({ address, via: 'fe80::be:a01:1', device: 'bond0.17' })),
})

/** What nodes would be told, as text. */
function textOf(count: number, meshUpTo: number, which: number, password: string, hasIpv6 = false): string {
  const peers = [{ name: 'core', address: '10.250.0.1', as: 4_200_000_000, password }]
  const settings = { as: 64_512, sites: {}, meshUpTo, reflectors: 2 }
  const plan = new BgpPlan({ mode: 'bgp', settings, peers, nodes: nodesOf(count) })
  const routing = plan.of(nodesOf(count)[which % count]?.name ?? '')
  if (routing?.mode !== 'bgp') throw new Error('it speaks BGP')
  const own = `10.77.${which % count}`
  return renderBirdConfig({
    ...{
      routing,
      pools: ['10.77.0.0/16'],
      blocks: [`${own}.0/24`, '10.77.250.9/32'],
      away: [`${own}.7/32`],
      source: `${own}.1`,
      logPath: join(scratch.dir, 'log'),
    },
    ...(hasIpv6 ? { ipv6: ipv6Of(which % count, nodesOf(count)) } : {}),
  })
}

it('has BIRD take whatever is planned', async () => {
  const password = fc.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,80}$/)
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 2, max: 40 }),
      fc.nat(),
      password,
      fc.boolean(),
      async (...given) => {
        const path = join(scratch.dir, 'planned.conf')
        await writeFile(path, textOf(...given))
        expect(await runCommand('bird', ['-p', '-c', path])).toEqual({ code: 0, stdout: '', stderr: '' })
      },
    ),
    { numRuns: 25 },
  )
})

it('keeps the last configuration that BIRD took, whatever it is given', async () => {
  const keeper = new BirdKeeper({
    ...{ runDirectory: join(scratch.dir, 'run'), logDirectory: join(scratch.dir, 'logs'), exec: space.exec, log },
    namespace: space.path,
  })
  const [one, other] = [textOf(3, 50, 0, 'p'), textOf(4, 50, 0, 'p')]
  await expect(keeper.keep('nonsense;', { signal })).rejects.toMatchObject({ code: 'routing.config-refused' })
  expect(await keeper.isRunning()).toBe(false)
  await keeper.keep(one, { signal })
  const sessions = async (): Promise<number> =>
    (await keeper.ask('show protocols', { signal })).lines.filter((line) => line.includes(' BGP ')).length
  expect(await sessions()).toBe(3)
  for (const text of ['nonsense;', 'router id 1.1.1.1; protocol bgp x {}', `${other}\ninclude "/nowhere";`]) {
    await expect(keeper.keep(text, { signal })).rejects.toThrow(/next\.conf.*the one before stays in force/s)
    expect(await sessions()).toBe(3)
    // Not asked again and again, and still said.
    await expect(keeper.keep(text, { signal })).rejects.toMatchObject({ code: 'routing.config-refused' })
  }
  await keeper.keep(other, { signal })
  expect(await sessions()).toBe(4)
  // With IPv6 it is another BIRD, and for a change of that the same one again.
  const pid = () => readFile(keeper.files.pidFile, 'utf8')
  const before = await pid()
  const [six, more] = [textOf(4, 50, 0, 'p', true), textOf(5, 50, 0, 'p', true)]
  await expect(keeper.keep(`${six}\nnonsense;`, { signal })).rejects.toThrow(/the one before stays in force/)
  expect(await pid()).toBe(before)
  await keeper.keep(six, { signal })
  const after = await pid()
  expect(after).not.toBe(before)
  expect((await keeper.ask('show protocols all', { signal })).lines.join()).toContain('Channel ipv6')
  await keeper.keep(more, { signal })
  expect([await sessions(), await pid()]).toEqual([5, after])
  await keeper.stop({ signal })
  expect(await keeper.isRunning()).toBe(false)
  await expect(keeper.ask('show status', { signal })).rejects.toMatchObject({ code: 'routing.bird-silent' })
})

it('tells a refusal from an answer', async () => {
  const path = join(scratch.dir, 'plain')
  await writeFile(`${path}.conf`, 'router id 1.1.1.1; protocol device {}')
  await space.run('bird', '-c', `${path}.conf`, '-s', `${path}.control`, '-P', `${path}.pid`)
  expect(isRefusal(await askBird(`${path}.control`, 'show status', { signal }))).toBe(false)
  expect(isRefusal(await askBird(`${path}.control`, 'show nothing', { signal }))).toBe(true)
})
