import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '@berth/api/testing/free-ports.testing'
import { openAuthority } from '../authority/authority.ts'

export interface Pebble extends AsyncDisposable {
  readonly directoryUrl: string
  /** Of whom its own certificate is. */
  readonly caPem: string
  /** Where it looks for answers, whatever the host. */
  readonly httpPort: number
}

/** Debian's pebble, an authority for tests, with a DNS that knows every name as 127.0.0.1. A fifth of all calls is refused for a used nonce. */
export async function startPebble(): Promise<Pebble> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-pebble-'))
  const authority = await openAuthority(directory)
  const { certificatePem, keyPem } = await authority.serverCertificate(['localhost'])
  const [port = 0, managementPort = 0, httpPort = 0, tlsPort = 0, dnsPort = 0, dnsManagementPort = 0] =
    await freePorts(6)
  const [certificate, privateKey, config] = ['cert.pem', 'key.pem', 'config.json'].map((name) => join(directory, name))
  await writeFile(certificate!, certificatePem)
  await writeFile(privateKey!, keyPem)
  const pebble = {
    ...{ listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${managementPort}` },
    ...{ certificate, privateKey, httpPort, tlsPort },
  }
  await writeFile(config!, JSON.stringify({ pebble }))
  const dns = [`-dns01=127.0.0.1:${dnsPort}`, '-defaultIPv4=127.0.0.1', '-defaultIPv6=', '-http01=', '-https01=']
  const children = [
    run('pebble-challtestsrv', [...dns, '-tlsalpn01=', `-management=127.0.0.1:${dnsManagementPort}`]),
    run('pebble', [`-config=${config}`, `-dnsserver=127.0.0.1:${dnsPort}`, '-strict']),
  ]
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end))
    await rm(directory, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 300; tries++) {
    if ((await answers(port)) && (await answers(dnsManagementPort))) {
      const directoryUrl = `https://localhost:${port}/dir`
      return { directoryUrl, caPem: authority.trustPem, httpPort, [Symbol.asyncDispose]: stop }
    }
    await delay(100)
  }
  await stop()
  throw new Error('pebble has not become ready within 30 s')
}

const run = (command: string, argv: readonly string[]): ChildProcess =>
  spawn(command, argv, {
    stdio: 'ignore',
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' },
  })

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await ended
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
