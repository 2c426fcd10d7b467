import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { waitUntil } from './wait-until.ts'

/** The password has characters that base64 writes in two ways, and one that is not ASCII. */
export const registryLogin = { username: 'ann', password: 's3cret>>>???~~~ÿ' } as const
/** For `auth.htpasswd`: that user, by bcrypt. */
export const registryUsers = 'ann:$2y$04$MgFEGZ3cf4v4EopLlTwnoeuUUOcxrR8tYjo59Jy1gQut1/9/ljn86\n'

/** Debian's docker-registry on a port of the loopback; who wants to read from it must log in, unless it is open. */
export class TestRegistry implements AsyncDisposable {
  readonly host: string
  readonly #process: ChildProcess

  private constructor(host: string, process: ChildProcess) {
    this.host = host
    this.#process = process
  }

  /** Two of one folder have the same images. */
  static async start(folder: string, { open = false } = {}): Promise<TestRegistry> {
    const host = `127.0.0.1:${await freePort()}`
    const name = open ? 'open' : 'closed'
    const users = join(folder, 'users')
    writeFileSync(users, registryUsers)
    const auth = open ? {} : { auth: { htpasswd: { realm: 'test', path: users } } }
    const storage = { filesystem: { rootdirectory: join(folder, 'registry') } }
    const config = {
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage,
      http: { addr: host },
      ...auth,
    }
    // JSON is YAML.
    writeFileSync(join(folder, `${name}.yml`), JSON.stringify(config))
    const child = spawn('docker-registry', ['serve', join(folder, `${name}.yml`)], { stdio: 'ignore' })
    const registry = new TestRegistry(host, child)
    await waitUntil('the registry to answer', () => answers(host))
    return registry
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }
}

const answers = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const call = get(`http://${host}/v2/`, (response) => resolve(response.resume().statusCode !== undefined))
    call.once('error', () => resolve(false))
  })
