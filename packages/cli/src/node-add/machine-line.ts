import { BerthError } from '@berth/core'
import type { HostKeyPolicy } from '../ssh/host-key.ts'
import type { SshKeys } from '../ssh/ssh-login.ts'
import { SshSession } from '../ssh/ssh-session.ts'
import type { MachineEntry } from './machine-entry.ts'
import { RemoteMachine } from './remote-machine.ts'

export interface LineOptions {
  readonly keys: SshKeys
  readonly hostKey: Omit<HostKeyPolicy, 'expected'>
  readonly signal: AbortSignal
}

/** One login at a machine for all that is done there; dialled again when it broke. */
export class MachineLine implements AsyncDisposable {
  readonly #entry: MachineEntry
  readonly #options: LineOptions
  #machine: RemoteMachine | undefined

  constructor(entry: MachineEntry, options: LineOptions) {
    this.#entry = entry
    this.#options = options
  }

  /** One piece of work at a time. */
  async with<T>(work: (machine: RemoteMachine) => Promise<T>): Promise<T> {
    this.#machine ??= await this.#open()
    try {
      return await work(this.#machine)
    } catch (error) {
      if (error instanceof BerthError && error.code === 'ssh.lost') await this.#close()
      throw error
    }
  }

  async #open(): Promise<RemoteMachine> {
    const { target, login, hostKey, sudoPassword } = this.#entry
    const { keys, signal, hostKey: shared } = this.#options
    const policy = { ...shared, ...(hostKey === undefined ? {} : { expected: hostKey }) }
    const session = await SshSession.open(target, { login, keys, hostKey: policy, signal })
    try {
      return await RemoteMachine.find(session, sudoPassword)
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }

  async #close(): Promise<void> {
    const machine = this.#machine
    this.#machine = undefined
    await machine?.session[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}
