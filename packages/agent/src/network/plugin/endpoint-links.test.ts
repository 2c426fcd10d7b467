import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/** Runs in a network namespace of its own, which goes with it: real links, and nothing of this machine's. */
const script = `
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createEndpointLinks } from ${JSON.stringify(import.meta.resolve('./endpoint-links.ts'))}
import { runCommand } from ${JSON.stringify(import.meta.resolve('../run-command.ts'))}

const links = createEndpointLinks(runCommand)
const [link, peer] = ['berth-0a4d030b', 'berthc0a4d030b']
const record = { id: 'e1', network: 'n1', addresses: ['10.77.3.11'], mac: 'be:00:0a:4d:03:0b', link, peer, createdAt: 1 }
const settings = { mtu: 1400, source: '10.77.3.1' }
const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8' })
ip('link', 'set', 'lo', 'up')
writeFileSync('/proc/sys/net/ipv4/conf/default/arp_ignore', '1')

const said = { before: await links.exists(link) }
await links.remove(link)
said.made = await links.make(record, settings)
said.there = [await links.exists(link), await links.exists(peer)]
said.route = ip('route').trim()
said.neighbour = ip('neigh').trim()
said.link = ip('-json', 'link', 'show', link)
said.peer = ip('-json', 'link', 'show', peer)
said.filter = readFileSync('/proc/sys/net/ipv4/conf/' + link + '/rp_filter', 'utf8').trim()
said.ignore = readFileSync('/proc/sys/net/ipv4/conf/' + link + '/arp_ignore', 'utf8').trim()
said.lo = ip('address', 'show', 'dev', 'lo')
said.list = await links.list()
said.again = await links.make({ ...record, id: 'e2' }, settings)
said.routeAfter = ip('route').trim()
await links.remove(link)
said.gone = [await links.exists(link), await links.exists(peer), ip('route').trim()]
const twin = { ...record, address6: 'fd77::a4d:30b' }
const settings6 = { ...settings, source6: 'fd77::a4d:301' }
ip('link', 'set', 'lo', 'up')
writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1')
writeFileSync('/proc/sys/net/ipv6/conf/default/accept_ra', '2')
said.off = ip('-6', 'address', 'show', 'scope', 'link')
said.made6 = await links.make(twin, settings6)
said.route6 = ip('-6', 'route').trim()
said.neighbour6 = ip('-6', 'neigh').trim()
said.link6 = ip('-6', '-oneline', 'address', 'show', 'dev', link).trim()
said.lo6 = ip('-6', 'address', 'show', 'dev', 'lo')
said.routers = readFileSync('/proc/sys/net/ipv6/conf/' + link + '/accept_ra', 'utf8').trim()
said.failure6 = await links.make({ ...twin, link: 'berth-0a4d030c', peer: 'berthc0a4d030c', address6: 'nonsense' }, settings6).then(() => 'made', (error) => error.code)
said.left6 = await links.exists('berth-0a4d030c')
await links.remove(link)
said.gone6 = ip('-6', 'route').trim()
said.failure = await links.make({ ...record, mac: 'nonsense' }, settings).then(() => 'made', (error) => error.code + ' ' + error.message)
said.halfway = await links.make({ ...record, addresses: ['nonsense'] }, settings).then(() => 'made', (error) => error.code)
said.left = await links.exists(link)
console.log(JSON.stringify(said))
`

it('are made, refused a second time, and removed by a real kernel', async () => {
  const argv = ['--net', process.execPath, '--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)('unshare', argv, { timeout: 60_000 })
  const said = JSON.parse(stdout)
  expect(said).toMatchObject({ before: false, made: true, there: [true, true], again: false, filter: '1', ignore: '0' })
  expect(said.route).toContain('10.77.3.11 dev berth-0a4d030b proto 78 scope link src 10.77.3.1')
  expect(said.neighbour).toContain('10.77.3.11 dev berth-0a4d030b lladdr be:00:0a:4d:03:0b PERMANENT')
  expect(JSON.parse(said.link)).toMatchObject([{ mtu: 1400, address: 'be:00:a9:fe:4d:01' }])
  expect(JSON.parse(said.peer)).toMatchObject([{ mtu: 1400, address: 'be:00:0a:4d:03:0b' }])
  for (const address of ['169.254.77.1/32', '10.77.3.1/32']) expect(said.lo).toContain(address)
  expect(said.list).toEqual(['berth-0a4d030b'])
  expect(said.routeAfter).toBe(said.route)
  expect(said.gone).toEqual([false, false, ''])
  expect(said).toMatchObject({ off: '', made6: true, routers: '0', failure6: 'network.command-failed', left6: false })
  expect(said.route6).toContain('fd77::a4d:30b dev berth-0a4d030b proto 78 src fd77::a4d:301')
  expect(said.neighbour6).toContain('fd77::a4d:30b dev berth-0a4d030b lladdr be:00:0a:4d:03:0b PERMANENT')
  expect(said.link6).toMatch(/^\d+: berth-0a4d030b +inet6 fe80::be:a9fe:4d01\/64 scope link nodad/)
  expect(said.link6.split('\n')).toHaveLength(1)
  expect(said.lo6).toContain('fd77::a4d:301/128')
  expect(said.gone6).not.toContain('fd77::a4d:30b')
  expect(said.failure).toMatch(/^network\.command-failed make the link berth-0a4d030b: /)
  expect(said.halfway).toBe('network.command-failed')
  expect(said.left).toBe(false)
})
