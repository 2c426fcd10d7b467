import type { NetworkDriver } from '@berth/core'
import type { SshLogin } from '../ssh/ssh-login.ts'
import type { SshTarget } from '../ssh/ssh-target.ts'

/** One machine that is to become a node, and how. */
export interface MachineEntry {
  readonly target: SshTarget
  /** `SHA256:…` */
  readonly hostKey?: string
  readonly login: SshLogin
  /** Where sudo asks for one. */
  readonly sudoPassword?: string
  /** Default: made of its host name. */
  readonly node?: string
  /** At which other nodes reach it; default: the one at which it was logged in. */
  readonly address?: string
  readonly labels: Readonly<Record<string, string>>
  readonly group?: string
  readonly gateway: boolean
  /** How containers are joined there; default: as it was, or by a bridge. */
  readonly network?: NetworkDriver
  readonly httpPort: number
  readonly httpsPort: number
}
