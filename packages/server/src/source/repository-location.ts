import { isAbsolute, normalize } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BerthError } from '@berth/core'

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** A repository as its client program may see it: the URL is free of passwords, which travel by a way that `ps` does not show. */
export type RepositoryLocation =
  | { readonly type: 'path'; readonly path: string }
  | { readonly type: 'url'; readonly url: string; readonly credentials?: Credentials }
  /** Commits came by upload; there is nowhere to fetch from. */
  | { readonly type: 'upload'; readonly app: string }

export const uploadPrefix = 'upload:'

const schemes = {
  git: ['https:', 'ssh:', 'git:', 'file:'],
  svn: ['https:', 'svn:', 'svn+ssh:', 'file:'],
} as const

/** Throws `source.bad-repository`, without the password if there was one. */
export function parseRepository(text: string, vcs: 'git' | 'svn'): RepositoryLocation {
  if (/[\0-\x20\x7f]/.test(text) && !isAbsolute(text)) throw badRepository(text, vcs)
  if (/[\0\r\n]/.test(text)) throw badRepository(text, vcs)
  if (text.startsWith(uploadPrefix) && vcs === 'git') return { type: 'upload', app: text.slice(uploadPrefix.length) }
  if (isAbsolute(text)) return vcs === 'svn' ? svnPath(text) : { type: 'path', path: normalize(text) }
  if (vcs === 'git' && isScpLike(text)) return { type: 'url', url: text }
  const url = URL.parse(text)
  if (url === null || !(schemes[vcs] as readonly string[]).includes(url.protocol)) throw badRepository(text, vcs)
  if (url.protocol === 'file:') return { type: 'url', url: url.href }
  if (url.hostname === '' || url.hostname.startsWith('-')) throw badRepository(text, vcs)
  return splitCredentials(url)
}

const svnPath = (path: string): RepositoryLocation => ({ type: 'url', url: pathToFileURL(normalize(path)).href })

/** `git@example.com:team/app.git` */
const isScpLike = (text: string): boolean => /^(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!\/\/|:)[^-]/.test(text)

function splitCredentials(url: URL): RepositoryLocation {
  const username = decode(url.username)
  const password = decode(url.password)
  url.password = ''
  // Over ssh the name says whose key it is, and there is no password.
  if (url.protocol.endsWith('ssh:')) return { type: 'url', url: url.href }
  url.username = ''
  if (username === '' && password === '') return { type: 'url', url: url.href }
  return { type: 'url', url: url.href, credentials: { username, password } }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function badRepository(text: string, vcs: 'git' | 'svn'): BerthError {
  const forms =
    vcs === 'git' ? 'https://, ssh://, git://, file://, user@host:path' : 'https://, svn://, svn+ssh://, file://'
  const shown = JSON.stringify(redactMalformed(text).slice(0, 200))
  return new BerthError('source.bad-repository', `${shown} is no ${vcs} repository: use ${forms} or an absolute path`)
}

/** What is no URL may still hold a password, wherever its writer thought that it goes. */
const redactMalformed = (text: string): string => text.replace(/:\/\/.*@/s, '://***@')

/** Takes passwords and access tokens out of every URL in a text. The user of an ssh URL stays. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*):\/\/([^\s/'"<>]*)@/gi, (whole, scheme: string, user: string) => {
    const isSecret = user.includes(':') || !/ssh$/i.test(scheme)
    return isSecret ? `${scheme}://***@` : whole
  })
}

/** As {@link redactUrls}, and also takes out these credentials where they stand alone, plain or encoded. */
export function redactorOf(credentials: Credentials | undefined): (text: string) => string {
  if (credentials === undefined) return redactUrls
  // A token may be given as the name, with no or a well-known password beside it.
  const { username, password } = credentials
  const secrets = [password, password.length < 4 ? username : ''].filter((secret) => secret.length >= 4)
  const forms = new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret), encodeURI(secret)]))
  forms.add(basicToken(credentials))
  return (text) => {
    let clean = redactUrls(text)
    for (const form of forms) clean = clean.replaceAll(form, '***')
    return clean
  }
}

export const basicToken = ({ username, password }: Credentials): string =>
  Buffer.from(`${username}:${password}`).toString('base64')
