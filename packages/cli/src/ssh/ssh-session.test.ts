import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fingerprintOf } from './known-hosts.ts'
import { SshSession } from './ssh-session.ts'

/** Long enough for all that a machine says about a program that ends at once. */
const heldBackMs = 50
let machine: ssh2.Server
let line: Server
let hostKey: string

/** Every program says its own name, and ends with 7, before anybody could ask how it is. */
beforeAll(async () => {
  const { private: key } = ssh2.utils.generateKeyPairSync('ed25519')
  const parsed = ssh2.utils.parseKey(key)
  if (parsed instanceof Error) throw parsed
  hostKey = fingerprintOf(parsed.getPublicSSH())
  machine = new ssh2.Server({ hostKeys: [key] }, (client) => {
    client.on('error', () => undefined)
    client.on('authentication', (login) => login.accept())
    client.on('session', (accept) =>
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec()
        channel.write(command)
        channel.exit(7)
        channel.close()
      }),
    )
  })
  machine.listen(0, '127.0.0.1')
  await once(machine, 'listening')
  // What comes at once on a busy machine: all that was said in one piece.
  line = createServer((near) => {
    const far = connect((machine.address() as AddressInfo).port, '127.0.0.1')
    const held: Buffer[] = []
    far.on('data', (bytes: Buffer) => {
      if (held.length === 0) setTimeout(() => near.write(Buffer.concat(held.splice(0))), heldBackMs)
      held.push(bytes)
    })
    near.on('data', (bytes) => far.write(bytes))
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => undefined)
      one.once('close', () => other.destroy())
    }
  })
  line.listen(0, '127.0.0.1')
  await once(line, 'listening')
})
afterAll(() => {
  line.close()
  machine.close()
})

it('hears the end of a program of which everything comes in one piece', async () => {
  const { signal } = new AbortController()
  const target = { user: 'ann', host: '127.0.0.1', port: (line.address() as AddressInfo).port }
  await using session = await SshSession.open(target, { login: {}, hostKey: { expected: hostKey }, signal })
  for (let n = 0; n < 3; n++)
    expect(await session.run(['true', `${n}`])).toMatchObject({ code: 7, stdout: expect.stringContaining(`${n}`) })
})
