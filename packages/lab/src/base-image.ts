import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BerthError } from '@berth/core'
import { mustRun } from './command.ts'
import { callDocker } from './docker-api.ts'
import {
  describeImages,
  type Image,
  type ImageConfig,
  type ImageDefinition,
  imageArchive,
  type Layer,
} from './image-archive.ts'
import type { LayerEntry } from './image-layer.ts'
import { sharedLibraries } from './shared-libraries.ts'

/** A busybox system with certificates and the C and C++ libraries. */
export const BASE_IMAGE = 'berth/base:local'
/** The same with Node.js as /usr/local/bin/node. */
export const NODE_IMAGE = 'berth/node:local'

export interface BaseImage {
  readonly tag: string
  readonly id: string
  /** False: the engine had it already. */
  readonly loaded: boolean
}

export interface BaseImageOptions {
  readonly signal?: AbortSignal
  /** The Node.js to put into the image. Default: the one that runs this. */
  readonly nodeBinary?: string
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
const NODE_USER_ID = 1000

/**
 * Makes the images that apps are built on from this machine's own files, for a machine that reaches no registry, and loads into the engine
 * those that it lacks. Equal files give equal image ids, so a second call changes nothing.
 */
export async function makeBaseImages(dockerHost: string, options: BaseImageOptions = {}): Promise<BaseImage[]> {
  const { signal } = options
  const images = await describeImages(await defineImages(options), signal)
  const present = await Promise.all(images.map((image) => isPresent(dockerHost, image, signal)))
  const missing = images.filter((_, index) => !present[index])
  if (missing.length > 0) await load(dockerHost, missing, signal)
  return images.map((image) => ({ tag: image.definition.tag, id: image.id, loaded: missing.includes(image) }))
}

/** Whether the engine has images of these names, whatever is in them. */
export async function hasBaseImages(dockerHost: string, signal?: AbortSignal): Promise<boolean> {
  const replies = await Promise.all(
    [BASE_IMAGE, NODE_IMAGE].map((tag) =>
      callDocker(dockerHost, { method: 'GET', path: `/images/${tag}/json`, signal }),
    ),
  )
  return replies.every(({ status }) => status === 200)
}

/** What the images are made of, without reading it: the same as long as none of the files has changed. */
export async function baseImageSource(options: BaseImageOptions = {}): Promise<readonly unknown[]> {
  const definitions = await defineImages(options)
  const sources = definitions.flatMap(({ layers }) =>
    layers.flatMap(({ entries }) => entries.flatMap((entry) => (entry.kind === 'copy' ? [entry.source] : []))),
  )
  return [definitions, await Promise.all([...new Set(sources)].map(fileIdentity))]
}

/** Changes whenever the file is another. */
export const fileIdentity = async (path: string): Promise<readonly unknown[]> => {
  const { size, mtimeMs } = await stat(path)
  return [path, size, mtimeMs]
}

const defineImages = async ({
  nodeBinary = process.execPath,
  signal,
}: BaseImageOptions): Promise<ImageDefinition[]> => {
  const run = signal === undefined ? {} : { signal }
  const version = (await mustRun([nodeBinary, '--version'], run)).trim()
  const busybox = findBusybox()
  const applets = (await mustRun([busybox, '--list-full'], run)).split('\n').filter((line) => /^[\w./[-]+$/.test(line))
  const libraries = new Set([...(await sharedLibraries(nodeBinary, run)), ...(await sharedLibraries(busybox, run))])
  const base: Layer = { comment: 'busybox and libraries', entries: baseEntries(busybox, applets, [...libraries]) }
  const node: Layer = { comment: `node ${version}`, entries: nodeEntries(nodeBinary) }
  return [
    { tag: BASE_IMAGE, layers: [base], config: config(['/bin/sh'], []) },
    { tag: NODE_IMAGE, layers: [base, node], config: config(['node'], [`NODE_VERSION=${version.replace(/^v/, '')}`]) },
  ]
}

const findBusybox = (): string => {
  const found = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new BerthError(
    'lab.busybox-missing',
    'make the base image: this machine has no busybox; `apt-get install busybox-static`',
  )
}

const config = (command: string[], env: string[]): ImageConfig => ({
  Env: [`PATH=${PATH}`, ...env],
  Cmd: command,
  WorkingDir: '/',
  Labels: { 'berth.base': 'local' },
})

const baseEntries = (busybox: string, applets: readonly string[], libraries: readonly string[]): LayerEntry[] => {
  const files: LayerEntry[] = [
    { kind: 'copy', path: 'bin/busybox', source: busybox },
    ...applets
      .filter((path) => path !== 'bin/busybox')
      .map((path): LayerEntry => ({ kind: 'symlink', path, target: '/bin/busybox' })),
    ...libraries.map((path): LayerEntry => ({ kind: 'copy', path: path.slice(1), source: path })),
    ...(existsSync(CERTIFICATES)
      ? [{ kind: 'copy', path: CERTIFICATES.slice(1), source: CERTIFICATES, mode: 0o644 } as const]
      : []),
    ...ACCOUNTS,
  ]
  return withDirectories(files, SPECIAL_DIRECTORIES)
}

const nodeEntries = (nodeBinary: string): LayerEntry[] =>
  withDirectories([{ kind: 'copy', path: 'usr/local/bin/node', source: nodeBinary }], [])

const ACCOUNTS: readonly LayerEntry[] = [
  {
    kind: 'text',
    path: 'etc/passwd',
    content: [
      'root:x:0:0:root:/root:/bin/sh',
      `node:x:${NODE_USER_ID}:${NODE_USER_ID}:node:/home/node:/bin/sh`,
      'nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
    ].join('\n'),
  },
  { kind: 'text', path: 'etc/group', content: `root:x:0:\nnode:x:${NODE_USER_ID}:\nnogroup:x:65534:\n` },
  { kind: 'text', path: 'etc/nsswitch.conf', content: 'passwd: files\ngroup: files\nhosts: files dns\n' },
  {
    kind: 'text',
    path: 'etc/os-release',
    content: 'ID=berth-base\nNAME="Berth base"\nPRETTY_NAME="Berth base (busybox)"\n',
  },
]

const SPECIAL_DIRECTORIES: readonly LayerEntry[] = [
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
  { kind: 'directory', path: 'var/tmp', mode: 0o1777 },
  { kind: 'directory', path: 'root', mode: 0o700 },
  { kind: 'directory', path: 'home/node', owner: NODE_USER_ID },
  ...['dev', 'proc', 'sys', 'run', 'var/log', 'usr/local/bin', 'opt'].map(
    (path): LayerEntry => ({ kind: 'directory', path }),
  ),
]

/** Adds every parent directory that is not listed itself. */
const withDirectories = (files: readonly LayerEntry[], directories: readonly LayerEntry[]): LayerEntry[] => {
  const listed = new Set(directories.map((entry) => entry.path))
  const parents = new Set([...files, ...directories].flatMap((entry) => ancestors(entry.path)))
  const missing = [...parents].filter((path) => !listed.has(path))
  return [...missing.map((path): LayerEntry => ({ kind: 'directory', path })), ...directories, ...files]
}

const ancestors = (path: string): string[] => {
  const parent = dirname(path)
  return parent === '.' ? [] : [...ancestors(parent), parent]
}

interface InspectedImage {
  readonly Config?: Partial<ImageConfig>
  readonly RootFS?: { readonly Layers?: readonly string[] }
}

/** Compared by content, since an engine with containerd's image store gives an image another id than its configuration's digest. */
const isPresent = async (dockerHost: string, image: Image, signal?: AbortSignal): Promise<boolean> => {
  const { tag, config: wanted } = image.definition
  const reply = await callDocker(dockerHost, { method: 'GET', path: `/images/${tag}/json`, signal })
  if (reply.status === 404) return false
  if (reply.status !== 200)
    throw new BerthError('lab.image', `look for image ${tag} on ${dockerHost}: ${reply.text.trim()}`)
  const found = JSON.parse(reply.text) as InspectedImage
  const layers = image.digests.map(({ diffId }) => diffId)
  return (
    JSON.stringify(found.RootFS?.Layers) === JSON.stringify(layers) &&
    JSON.stringify(found.Config?.Env) === JSON.stringify(wanted.Env) &&
    JSON.stringify(found.Config?.Cmd) === JSON.stringify(wanted.Cmd)
  )
}

const load = async (dockerHost: string, images: readonly Image[], signal?: AbortSignal): Promise<void> => {
  const reply = await callDocker(dockerHost, {
    method: 'POST',
    path: '/images/load?quiet=1',
    body: imageArchive(images, signal),
    contentType: 'application/x-tar',
    signal,
  })
  // The engine answers 200 before it is done, and reports what goes wrong then in the body's last line.
  if (reply.status === 200 && !reply.text.includes('"errorDetail"')) return
  const tags = images.map((image) => image.definition.tag).join(' and ')
  throw new BerthError('lab.image', `load ${tags} into ${dockerHost}: ${reply.text.trim()}`)
}
