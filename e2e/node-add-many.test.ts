import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LabHost, LabSshd } from '../packages/lab/src/index.ts'
import { Cluster } from './support/cluster.ts'

/** Four machines with a real sshd and nothing else, brought in beside each other by an inventory from the first host. */
let cluster: Cluster
let machines: readonly { readonly host: LabHost; readonly sshd: LabSshd }[]

beforeAll(async () => {
  cluster = await Cluster.start()
  machines = await Promise.all(
    Array.from({ length: 4 }, async (_, index) => {
      const host = await cluster.lab.addHost({ name: `h${index + 2}`, startDockerd: false })
      return { host, sshd: await host.startSshd() }
    }),
  )
})
afterAll(() => cluster[Symbol.asyncDispose]())

type Change = (name: string) => Readonly<Record<string, string>>

/** `more` is what the inventory says of a machine besides where it is and which key it shows. */
async function add(more: Change) {
  const hosts = machines.map(({ host, sshd }) => {
    const fields = { host: host.address, hostKey: sshd.hostKey, ...more(host.name) }
    return `  - ${JSON.stringify(fields)}\n`
  })
  const inventory = join(cluster.lab.dir, 'ssh/hosts.yaml')
  const keyFile = machines[0]?.sshd.keyFile ?? ''
  writeFileSync(inventory, `defaults: {gateway: false, labels: {site: north}}\nhosts:\n${hosts.join('')}`)
  return await cluster.berth(['node', 'add', '--key', keyFile, '--inventory', inventory, '--parallel', '4'])
}

const online = async () =>
  (await cluster.client.list('listNodes')).items.flatMap((each) => (each.online ? [each.name] : [])).sort()

it('four at once: those in order are nodes, the others are named; again, only the rest is done', async () => {
  // As machines are that were made of one image.
  await cluster.lab.host('h5').exec(['hostname', 'h4'])
  const first = await add((name) => (name === 'h3' ? { hostKey: `SHA256:${'A'.repeat(43)}` } : {}))
  expect(first.code).toBe(1)
  expect(first.stderr).toContain('2 of 4 machines are nodes; not: ')
  expect(first.stderr).toMatch(/its key is SHA256:\S+, and --host-key says SHA256:AAAA/)
  expect(first.stderr).toMatch(/would be node h4 \(its host name is h4\), and so would root@/)
  expect(await online()).toEqual(['h1', 'h2', 'h4'])

  const before = await cluster.pidOf('agent', cluster.lab.host('h2'))
  // Which of the two came first is chance.
  const named = await cluster.client.call('getNode', { params: { name: 'h4' } })
  const other = machines.find(({ host }) => /^h[45]$/.test(host.name) && host.address !== named.address)?.host.name
  const second = await add((name) => (name === other ? { node: 'h5' } : {}))
  expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('4 of 4 machines are nodes') })
  expect(await online()).toEqual(['h1', 'h2', 'h3', 'h4', 'h5'])
  expect(second.stderr.match(/gets the executable/g)).toHaveLength(2)
  expect(await cluster.pidOf('agent', cluster.lab.host('h2'))).toBe(before)
  const nodes = (await cluster.client.list('listNodes')).items.filter((each) => each.name !== 'h1')
  expect(nodes.map((each) => each.labels.site)).toEqual(Array.from({ length: 4 }, () => 'north'))
}, 300_000)
