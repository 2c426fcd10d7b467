import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { BerthError } from '@berth/core'
import { mustRun } from './command.ts'
import type { Cancellable, LabHost } from './lab.ts'
import type { LabSshd, SshdOptions } from './lab-sshd.ts'
import { waitFor } from './wait-for.ts'

const SSHD = '/usr/sbin/sshd'
const HOST_KEY = '/etc/ssh/lab_host_ed25519'
const AUTHORIZED_KEYS = '/etc/ssh/lab_authorized_keys'

/** Starts a real sshd inside a host. Throws `lab.sshd`. */
export async function startSshd(host: LabHost, options: SshdOptions & Cancellable = {}): Promise<LabSshd> {
  if (!existsSync(SSHD))
    throw new BerthError('lab.sshd', 'start sshd: this machine has none; apt-get install openssh-server')
  const { port = 22, user = 'root', signal } = options
  const keyFile = await labKey(dirname(host.dir))
  await makeUser(host, user, options)
  const publicKey = await makeHostKey(host, options.newHostKey === true)
  await writeConfig(host, keyFile, options)
  const sshd = await host.spawn([SSHD, '-D', '-e', '-f', `/etc/ssh/lab_sshd_${port}`], {
    logFile: join(host.dir, 'log', 'sshd.log'),
  })
  await waitFor(() => accepts(host.address, port), {
    what: `sshd of host ${host.name} to listen on port ${port} (its log: ${sshd.logFile})`,
    deadlineMs: 20_000,
    signal,
  })
  const hostKey = (await inside(host, ['ssh-keygen', '-l', '-f', `${HOST_KEY}.pub`])).split(' ')[1] ?? ''
  const place = port === 22 ? host.address : `[${host.address}]:${port}`
  return {
    ...{ address: host.address, port, user, keyFile, hostKey, knownHost: `${place} ${publicKey}` },
    [Symbol.asyncDispose]: async () => {
      if (sshd.kill('SIGTERM')) await sshd.exited
    },
  }
}

/** Those under way: hosts that start beside each other share one. */
const keysInMaking = new Map<string, Promise<string>>()

function labKey(labDir: string): Promise<string> {
  const keyFile = join(labDir, 'ssh', 'id_ed25519')
  const underWay = keysInMaking.get(keyFile)
  if (underWay !== undefined) return underWay
  const making = makeLabKey(keyFile).finally(() => keysInMaking.delete(keyFile))
  keysInMaking.set(keyFile, making)
  return making
}

async function makeLabKey(keyFile: string): Promise<string> {
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 })
  if (!existsSync(keyFile)) await mustRun(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'lab', '-f', keyFile])
  return keyFile
}

async function makeUser(host: LabHost, user: string, options: SshdOptions): Promise<void> {
  const { password, sudoPassword = password, sudo = 'none' } = options
  if (user !== 'root') {
    const known = await host.exec(['id', user])
    if (known.code !== 0) await inside(host, ['useradd', '-m', '-b', '/var/lib', '-s', '/bin/sh', '-p', '*', user])
  }
  const secret = password ?? sudoPassword
  if (secret !== undefined) await inside(host, ['chpasswd'], `${user}:${secret}\n`)
  const rule = sudo === 'none' ? '' : `${user} ALL=(ALL) ${sudo === 'free' ? 'NOPASSWD:' : ''}ALL\n`
  await write(host, '/etc/sudoers.d/lab', rule)
}

async function makeHostKey(host: LabHost, anew: boolean): Promise<string> {
  if (anew) await inside(host, ['rm', '-f', HOST_KEY, `${HOST_KEY}.pub`])
  const make = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', host.name, '-f', HOST_KEY]
  if (!existsSync(join(host.dir, HOST_KEY))) await inside(host, make)
  return (await inside(host, ['cat', `${HOST_KEY}.pub`])).split(' ').slice(0, 2).join(' ')
}

async function writeConfig(host: LabHost, keyFile: string, options: SshdOptions): Promise<void> {
  const { port = 22, password } = options
  const lines = [
    `Port ${port}`,
    `HostKey ${HOST_KEY}`,
    `PidFile /run/lab_sshd_${port}.pid`,
    `AuthorizedKeysFile ${AUTHORIZED_KEYS}`,
    `PasswordAuthentication ${password === undefined ? 'no' : 'yes'}`,
    `PubkeyAuthentication ${password === undefined ? 'yes' : 'no'}`,
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'UsePAM no',
    'UseDNS no',
    'MaxStartups 200',
    'StrictModes no',
  ]
  await write(host, `/etc/ssh/lab_sshd_${port}`, `${lines.join('\n')}\n`)
  await write(host, AUTHORIZED_KEYS, await readFile(`${keyFile}.pub`, 'utf8'))
  await inside(host, ['mkdir', '-p', '/run/sshd'])
}

/** From inside: what is changed below an overlay is not seen by who has it open. */
const write = (host: LabHost, path: string, text: string): Promise<string> => inside(host, ['tee', path], text)

async function inside(host: LabHost, argv: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await host.exec(argv, input === undefined ? {} : { input })
  if (code === 0) return stdout
  throw new BerthError('lab.sshd', `start sshd on host ${host.name}: ${argv[0]}: ${stderr.trim()}`)
}

const accepts = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', () => settle(true))
    socket.once('timeout', () => settle(false))
    socket.once('error', () => settle(false))
    socket.once('end', () => settle(false))
  })
