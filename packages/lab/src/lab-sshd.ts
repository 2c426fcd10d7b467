export interface SshdOptions {
  /** Default 22. */
  readonly port?: number
  /** Who may log in; made on the host when it is not there. Default root. */
  readonly user?: string
  /** Lets the user in by password, and by no key. */
  readonly password?: string
  /** What the user may do by sudo. Default `none`; `password` asks for the one above, or `sudoPassword`. */
  readonly sudo?: 'none' | 'free' | 'password'
  readonly sudoPassword?: string
  /** A host key that nobody has seen before. */
  readonly newHostKey?: boolean
}

/** How to log in at a host. */
export interface LabSshd extends AsyncDisposable {
  readonly address: string
  readonly port: number
  readonly user: string
  /** Of the lab's key pair; the host knows its other half. */
  readonly keyFile: string
  /** As `ssh-keygen -l` prints it: `SHA256:…`. */
  readonly hostKey: string
  /** The line for a `known_hosts` file. */
  readonly knownHost: string
}
