import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/**
 * In network namespaces of its own, which go with it: this node, a container with a link of its own, and a machine outside. The container
 * answers what it is asked with the address that it sees.
 */
const script = `
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createEndpointLinks } from ${JSON.stringify(import.meta.resolve('../plugin/endpoint-links.ts'))}
import { createPortKernel } from ${JSON.stringify(import.meta.resolve('./port-kernel.ts'))}
import { runCommand } from ${JSON.stringify(import.meta.resolve('../run-command.ts'))}

const run = (...argv) => execFileSync(argv[0], argv.slice(1), { encoding: 'utf8' })
const sh = (text) => run('sh', '-ec', text)
const space = () => spawn('unshare', ['--net', 'sh', '-c', 'echo up; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] })
const inside = (pid, ...argv) => ['nsenter', '--target=' + pid, '--net', '--', ...argv]
const [container, outside] = [space(), space()]
process.on('exit', () => { for (const each of [container, outside, server]) each?.kill('SIGKILL') })
await Promise.all([container, outside].map((each) => once(each.stdout, 'data')))
let server

sh('ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward')
sh('ip link add up0 type veth peer name eth0 netns ' + outside.pid + '; ip address add 192.0.2.1/24 dev up0; ip link set up0 up')
run(...inside(outside.pid, 'sh', '-ec', 'ip link set lo up; ip address add 192.0.2.9/24 dev eth0; ip link set eth0 up'))
const [address, link, peer] = ['10.77.3.11', 'berth-0a4d030b', 'berthc0a4d030b']
sh('echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; ip address add 2001:db8::1/64 dev up0 nodad; ip address add 2001:db8::2/64 dev up0 nodad')
run(...inside(outside.pid, 'sh', '-ec', 'ip address add 2001:db8::9/64 dev eth0 nodad'))
const [address6, gateway6, source6] = ['fd77::a4d:30b', 'fe80::be:a9fe:4d01', 'fd77::a4d:301']
const record = { address6, id: 'e1', network: 'n1', addresses: [address], mac: 'be:00:0a:4d:03:0b', link, peer, createdAt: 1 }
await createEndpointLinks(runCommand).make(record, { mtu: 1400, source: '10.77.3.1', source6 })
sh('ip link set ' + peer + ' netns ' + container.pid)
run(...inside(container.pid, 'sh', '-ec', 'ip link set lo up; ip link set ' + peer + ' name eth0; ip address add ' + address + '/32 dev eth0;' +
  'ip link set eth0 up; ip route add 169.254.77.1 dev eth0 scope link; ip route add default via 169.254.77.1;' +
  'ip address add ' + address6 + '/128 dev eth0 nodad; ip route add ' + gateway6 + '/128 dev eth0; ip route add default via ' + gateway6 + ' dev eth0'))
const serving = \`
const say = (a) => a.address.replace('::ffff:', '')
require('node:net').createServer((s) => s.on('error', () => 0).end(s.remoteAddress.replace('::ffff:', ''))).listen(80, '::', () => {
  const u = require('node:dgram').createSocket('udp4')
  u.on('message', (m, from) => u.send(from.address, from.port, from.address))
  const u6 = require('node:dgram').createSocket({ type: 'udp6', ipv6Only: true })
  u6.on('message', (m, from) => u6.send(from.address, from.port, from.address))
  u6.bind(53, () => u.bind(53, () => console.log('up')))
})\`
server = spawn(inside(container.pid)[0], [...inside(container.pid).slice(1), process.execPath, '-e', serving], { stdio: ['ignore', 'pipe', 'inherit'] })
await once(server.stdout, 'data')

const asking = \`
const [protocol, host, port] = process.argv.slice(1)
const end = (text) => { process.stdout.write(text); process.exit(0) }
setTimeout(() => end('silence'), Number(process.env.WAIT ?? 20000))
if (protocol === 'udp') {
  const u = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4').on('message', (m) => end(String(m))).on('error', (e) => end(e.code))
  u.connect(Number(port), host, () => u.send('?'))
} else {
  const s = require('node:net').connect(Number(port), host, () => s.on('data', (d) => end(String(d))))
  s.on('error', (e) => end(e.code))
}\`
const ask = (from, ...what) => run(...(from === undefined ? [] : inside(from.pid)), process.execPath, '-e', asking, ...what.map(String))
const askSoon = (...what) => { process.env.WAIT = '1000'; try { return ask(...what) } finally { delete process.env.WAIT } }

const kernel = createPortKernel(runCommand)
const ports = [
  { protocol: 'tcp', hostPort: 8080, address, port: 80 },
  { protocol: 'udp', hostPort: 5353, address, port: 53 },
  { protocol: 'tcp', hostAddress: '192.0.2.1', hostPort: 9090, address, port: 80 },
]
const six = ports.map((each) => ({ ...each, address6 }))
six.push({ protocol: 'tcp', hostAddress: '2001:db8::2', hostPort: 9191, address, address6, port: 80 })
const tables = () => run('nft', 'list', 'tables')
const said = {}
await kernel.keep([], '')
said.none = tables()
await kernel.keep(ports, '10.77.3.1')
await kernel.openToLoopback(link, true)
said.outside = [ask(outside, 'tcp', '192.0.2.1', 8080), ask(outside, 'udp', '192.0.2.1', 5353), ask(outside, 'tcp', '192.0.2.1', 9090)]
said.node = [ask(undefined, 'tcp', '127.0.0.1', 8080), ask(undefined, 'udp', '127.0.0.1', 5353), ask(undefined, 'tcp', '192.0.2.1', 8080)]
said.itself = [ask(container, 'tcp', '192.0.2.1', 8080)]
said.elsewhere = [ask(undefined, 'tcp', '127.0.0.1', 9090), ask(undefined, 'tcp', '127.0.0.1', 8081)]
// What the kernel now lets through to this link must not be a way for its container to what the node serves itself alone.
const own = spawn(process.execPath, ['-e', "require('node:net').createServer((s) => s.end('secret')).listen(7070, '127.0.0.1', () => console.log('up'))"], { stdio: ['ignore', 'pipe', 'inherit'] })
await once(own.stdout, 'data')
process.on('exit', () => own.kill('SIGKILL'))
run(...inside(container.pid, 'sh', '-ec', 'ip address del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via 169.254.77.1; echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet'))
said.intruder = askSoon(container, 'tcp', '127.0.0.1', 7070)
said.owner = ask(undefined, 'tcp', '127.0.0.1', 7070)
sh('nft flush table inet berth-ports')
await kernel.keep(ports, '10.77.3.1')
said.healed = ask(outside, 'tcp', '192.0.2.1', 8080)
sh('nft delete table inet berth-ports')
await createPortKernel(runCommand).keep(ports, '10.77.3.1')
said.anew = ask(outside, 'tcp', '192.0.2.1', 8080)
const listing = run('nft', '-a', 'list', 'table', 'inet', 'berth-ports')
await kernel.keep(ports, '10.77.3.1')
await kernel.keep(ports.slice(1), '10.77.3.1')
said.kept = [listing.length > 100, ask(outside, 'tcp', '192.0.2.1', 8080), ask(outside, 'tcp', '192.0.2.1', 9090)]
await kernel.keep(six, '10.77.3.1', source6)
said.outside6 = [ask(outside, 'tcp', '2001:db8::1', 8080), ask(outside, 'udp', '2001:db8::1', 5353), ask(outside, 'tcp', '2001:db8::2', 9191)]
said.node6 = [ask(undefined, 'tcp', '2001:db8::1', 8080), ask(container, 'tcp', '2001:db8::1', 8080), ask(outside, 'tcp', '192.0.2.1', 8080)]
said.elsewhere6 = [ask(outside, 'tcp', '2001:db8::1', 9191), ask(outside, 'tcp', '2001:db8::1', 9090), ask(undefined, 'tcp', '::1', 8080)]
await createPortKernel(runCommand).keep([], '')
said.gone = [tables(), ask(outside, 'tcp', '192.0.2.1', 9090)]
await kernel.openToLoopback('berth-00000000', true)
console.log(JSON.stringify(said))
process.exit(0)
`

it('published ports lead outsiders, the node itself and the container to it, and the container nowhere else', async () => {
  const node = [process.execPath, '--input-type=module', '--eval', script]
  const options = { timeout: 80_000 }
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--net', '--pid', '--fork', '--kill-child', '--mount-proc', ...node],
    options,
  )
  const address = '10.77.3.1'
  expect(JSON.parse(stdout)).toEqual({
    none: '',
    outside: ['192.0.2.9', '192.0.2.9', '192.0.2.9'],
    node: [address, address, '192.0.2.1'],
    itself: [address],
    elsewhere: ['ECONNREFUSED', 'ECONNREFUSED'],
    intruder: 'silence',
    owner: 'secret',
    healed: '192.0.2.9',
    anew: '192.0.2.9',
    kept: [true, 'ECONNREFUSED', '192.0.2.9'],
    outside6: ['2001:db8::9', '2001:db8::9', '2001:db8::9'],
    node6: ['2001:db8::1', 'fd77::a4d:301', '192.0.2.9'],
    elsewhere6: ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED'],
    gone: ['', 'ECONNREFUSED'],
  })
}, 90_000)
