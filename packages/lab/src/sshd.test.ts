import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCommand } from './command.ts'
import { createLab } from './create-lab.ts'
import type { Lab, LabHost } from './lab.ts'
import type { LabSshd } from './lab-sshd.ts'
import { startRelay } from './relay.ts'

let lab: Lab
let host: LabHost
let scratch: string

beforeAll(async () => {
  lab = await createLab({ hosts: [{ name: 'h1', startDockerd: false }] })
  host = lab.host('h1')
  scratch = await mkdtemp(join(tmpdir(), 'berth-sshd-'))
}, 60_000)
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
  await rm(scratch, { recursive: true })
})

const login = async (sshd: LabSshd, command: string, port = sshd.port, address = sshd.address) => {
  const known = join(scratch, 'known_hosts')
  await writeFile(known, `${sshd.knownHost}\n`)
  const options = ['BatchMode=yes', `UserKnownHostsFile=${known}`, 'ConnectTimeout=10', `HostKeyAlias=${sshd.address}`]
  const flags = options.flatMap((each) => ['-o', each])
  return runCommand(['ssh', ...flags, '-i', sshd.keyFile, '-p', String(port), `${sshd.user}@${address}`, command])
}

test("the lab's key logs in on the host itself", async () => {
  await using sshd = await host.startSshd()
  expect(await login(sshd, 'hostname; id -u')).toMatchObject({ code: 0, stdout: 'h1\n0\n' })
  expect(sshd.hostKey).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
})

test('another host key is another host; a password is no key; a user may have no sudo', async () => {
  const before = await host.startSshd({ user: 'ann', sudo: 'none' })
  expect((await login(before, 'sudo -n true')).stderr).toMatch(/password|not allowed|not in the sudoers/)
  await before[Symbol.asyncDispose]()
  await using sshd = await host.startSshd({ newHostKey: true, user: 'ann', password: 'correct horse' })
  expect(sshd.hostKey).not.toBe(before.hostKey)
  expect(await login({ ...sshd, knownHost: before.knownHost }, 'true')).toMatchObject({ code: 255 })
  expect((await login(sshd, 'true')).stderr).toContain('Permission denied')
})

test('a line is cut half-way', async () => {
  await using sshd = await host.startSshd()
  await using line = await startRelay({ to: sshd, listen: lab.serverAddress, cutAfterBytes: 2000, cuts: 1 })
  expect((await login(sshd, 'true', line.port, lab.serverAddress)).code).toBe(255)
  expect(line.cut).toBe(1)
  expect((await login(sshd, 'true', line.port, lab.serverAddress)).code).toBe(0)
})

test('what is installed in /usr/local stays on the host', async () => {
  expect((await host.exec(['cp', '/bin/true', '/usr/local/bin/lab-sshd-test'])).code).toBe(0)
  expect((await runCommand(['ls', '/usr/local/bin/lab-sshd-test'])).code).not.toBe(0)
  await host.reboot({ startDockerd: false })
  expect((await host.exec(['/usr/local/bin/lab-sshd-test'])).code).toBe(0)
})
