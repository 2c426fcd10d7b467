import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js'

/** Contents of the files. */
export interface TlsFiles {
  readonly ca?: Buffer
  readonly certificate?: Buffer
  readonly key?: Buffer
}

export interface MemberCredentials {
  readonly credentials: ChannelCredentials
  readonly options: ChannelOptions
}

/** A name in the place where TLS wants one; no certificate is checked against it. */
const anyName = 'etcd'

/** Without files: no TLS. */
export function memberCredentials(host: string, tls: TlsFiles | undefined): MemberCredentials {
  if (tls === undefined) return { credentials: credentials.createInsecure(), options: {} }
  const { ca = null, key = null, certificate = null } = tls
  if (isIP(host) === 0) return { credentials: credentials.createSsl(ca, key, certificate), options: {} }
  // An address may not be announced as a server's name, which gRPC would do; the certificate is checked for the address all the same.
  const verify = {
    checkServerIdentity: (_: string, peer: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(host, peer),
  }
  return {
    credentials: credentials.createSsl(ca, key, certificate, verify),
    options: { 'grpc.ssl_target_name_override': anyName },
  }
}

/** `[::1]:2379` → `::1` */
export const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
