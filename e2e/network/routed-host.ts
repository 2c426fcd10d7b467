import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { NetworkDriver } from '@berth/core'
import type { LabHost, SpawnedProcess } from '@berth/lab'
import { expect } from 'vitest'
import { NetworkProcess } from './network-client.ts'
import type { NetworkAnswer, NetworkCall } from './network-process.ts'

/** What hosts in routed mode need of Berth, without an agent: netd, which Docker asks, and who makes the network. */

export async function run(host: LabHost, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.exec(argv)
  if (code !== 0) throw new Error(`${host.name}: ${argv.join(' ')}: ${code}: ${stderr}`)
  return stdout.trim()
}

/** Reads until it is what is wanted, and fails with the last that was read. */
export async function eventually(read: () => Promise<string>, wanted: string | RegExp): Promise<void> {
  const end = Date.now() + 20_000
  const accepts = (value: string) => (typeof wanted === 'string' ? value === wanted : wanted.test(value))
  let last = await read()
  while (Date.now() < end && !accepts(last)) {
    await delay(50)
    last = await read()
  }
  if (typeof wanted === 'string') expect(last).toBe(wanted)
  else expect(last).toMatch(wanted)
}

/** A field of what `docker inspect` shows of a container's place in the network. */
export const shown = (host: LabHost, name: string, field: string): Promise<string> =>
  run(host, 'docker', 'inspect', '--format', `{{with .NetworkSettings.Networks.berth}}{{.${field}}}{{end}}`, name)

export class RoutedHosts {
  readonly #networks = new Map<LabHost, NetworkProcess>()
  readonly #netds = new Map<LabHost, SpawnedProcess>()
  /** Of containers' processes, by `host/name`, as far as they were noted. */
  readonly pids = new Map<string, string>()

  /** As on every node: before dockerd, and until the socket is there. */
  async startNetd(host: LabHost): Promise<void> {
    const argv = [process.execPath, join(import.meta.dirname, 'netd-process.ts'), '/var/lib/berth', '/run/berth']
    const logFile = join(host.dir, 'log', 'netd.log')
    this.#netds.set(host, await host.spawn(argv, { logFile }))
    const socket = ['--unix-socket', '/run/docker/plugins/berth.sock', '-XPOST', 'http://x/Plugin.Activate']
    await eventually(async () => {
      const { code, stdout } = await host.exec(['curl', '-sf', ...socket])
      return stdout || `curl ended with ${code}\n${readFileSync(logFile, 'utf8').slice(-1000)}`
    }, /IpamDriver/)
  }

  async killNetd(host: LabHost): Promise<void> {
    this.#netds.get(host)?.kill('SIGKILL')
    await this.#netds.get(host)?.exited
  }

  network(host: LabHost): NetworkProcess {
    const found = this.#networks.get(host)
    if (found === undefined) throw new Error(`${host.name} has no network`)
    return found
  }

  hasNetwork(host: LabHost): boolean {
    return this.#networks.has(host)
  }

  /** In place of the one before. */
  async startNetwork(host: LabHost, driver: NetworkDriver, call: NetworkCall): Promise<NetworkAnswer> {
    await this.#networks.get(host)?.end()
    this.#networks.set(host, new NetworkProcess(host, undefined, driver))
    return await this.network(host).call(call)
  }

  async endNetwork(host: LabHost): Promise<void> {
    await this.#networks.get(host)?.end()
    this.#networks.delete(host)
  }

  /** Of a container that runs now, so that it can be looked into while dockerd is dead. */
  async notePid(host: LabHost, name: string): Promise<void> {
    this.pids.set(`${host.name}/${name}`, await run(host, 'docker', 'inspect', '--format', '{{.State.Pid}}', name))
  }

  /** In the container's network alone, with no help of dockerd. */
  inside(host: LabHost, name: string, ...argv: string[]): ReturnType<LabHost['exec']> {
    const target = `--target=${this.pids.get(`${host.name}/${name}`)}`
    return host.exec(['nsenter', target, '--net', '--', ...argv])
  }

  async end(): Promise<void> {
    for (const each of this.#networks.values()) await each.end()
    for (const each of this.#netds.values()) each.kill('SIGKILL')
  }
}
