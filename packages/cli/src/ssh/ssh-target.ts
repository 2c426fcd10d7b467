import { BerthError } from '@berth/core'

/** Where to log in, and as whom. */
export interface SshTarget {
  readonly user: string
  readonly host: string
  readonly port: number
}

const pattern =
  /^(?:ssh:\/\/)?(?:(?<user>[A-Za-z_][\w.-]{0,63})@)?(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9](?:[\w.-]{0,252}\w)?))(?::(?<port>\d{1,5}))?\/?$/

/** `ssh://ann@10.0.0.5:2222`, `ann@shed`, `[::1]:22`. Throws `usage.ssh-target`. */
export function parseSshTarget(text: string, defaults: { readonly user: string; readonly port: number }): SshTarget {
  const groups = pattern.exec(text)?.groups
  const host = groups?.v6 ?? groups?.host
  const port = groups?.port === undefined ? defaults.port : Number(groups.port)
  if (host === undefined || port < 1 || port > 65_535)
    throw new BerthError('usage.ssh-target', `${text} is no machine; write ssh://USER@HOST:PORT, USER@HOST or HOST`)
  return { user: groups?.user ?? defaults.user, host, port }
}

export const formatSshTarget = ({ user, host, port }: SshTarget): string =>
  `${user}@${host.includes(':') ? `[${host}]` : host}${port === 22 ? '' : `:${port}`}`
