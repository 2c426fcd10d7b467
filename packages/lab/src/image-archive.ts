import { createHash } from 'node:crypto'
import { arch } from 'node:os'
import type { Readable } from 'node:stream'
import { type Pack, pack } from 'tar-stream'
import {
  addStream,
  addText,
  digestLayer,
  type LayerDigest,
  type LayerEntry,
  layerTar,
  nodeReadable,
} from './image-layer.ts'

export interface ImageDefinition {
  readonly tag: string
  readonly layers: readonly Layer[]
  readonly config: ImageConfig
}

/** Layers of the same object are stored once, also over several images. */
export interface Layer {
  readonly comment: string
  readonly entries: readonly LayerEntry[]
}

/** As in an image's configuration file. */
export interface ImageConfig {
  readonly Env: readonly string[]
  readonly Cmd: readonly string[]
  readonly WorkingDir: string
  readonly Labels: Readonly<Record<string, string>>
}

export interface Image {
  readonly definition: ImageDefinition
  readonly digests: readonly LayerDigest[]
  /** The configuration file; its digest is the image's id. */
  readonly configText: string
  readonly id: string
}

const CREATED = '1970-01-01T00:00:00Z'
const DOCKER_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Reads every input once and works the image's id out, without Docker. Equal inputs give an equal id. */
export async function describeImages(definitions: readonly ImageDefinition[], signal?: AbortSignal): Promise<Image[]> {
  const digests = new Map<Layer, LayerDigest>()
  for (const layer of definitions.flatMap((definition) => definition.layers)) {
    if (!digests.has(layer)) digests.set(layer, await digestLayer(layer.entries, signal))
  }
  return definitions.map((definition) => describe(definition, digests))
}

const describe = (definition: ImageDefinition, known: ReadonlyMap<Layer, LayerDigest>): Image => {
  const digests = definition.layers.map((layer) => known.get(layer) as LayerDigest)
  const configText = JSON.stringify({
    architecture: DOCKER_ARCHITECTURES[arch()] ?? arch(),
    os: 'linux',
    created: CREATED,
    config: definition.config,
    rootfs: { type: 'layers', diff_ids: digests.map(({ diffId }) => diffId) },
    history: definition.layers.map(({ comment }) => ({ created: CREATED, created_by: comment })),
  })
  return { definition, digests, configText, id: `sha256:${createHash('sha256').update(configText).digest('hex')}` }
}

/** The tar that `docker load` takes: each layer once, then each image's configuration, then the list of images. */
export function imageArchive(images: readonly Image[], signal?: AbortSignal): Readable {
  const tar = pack()
  void writeArchive(tar, images, signal).catch((error: Error) => tar.destroy(error))
  return nodeReadable(tar)
}

const writeArchive = async (tar: Pack, images: readonly Image[], signal?: AbortSignal): Promise<void> => {
  const written = new Set<string>()
  for (const { definition, digests } of images) {
    for (const [index, layer] of definition.layers.entries()) {
      const { diffId, sizeBytes } = digests[index] as LayerDigest
      if (written.has(diffId)) continue
      written.add(diffId)
      await addStream(tar, { name: layerFile(diffId), size: sizeBytes }, layerTar(layer.entries, signal), signal)
    }
  }
  for (const image of images) await addText(tar, configFile(image), image.configText)
  const list = images.map((image) => ({
    Config: configFile(image),
    RepoTags: [image.definition.tag],
    Layers: image.digests.map(({ diffId }) => layerFile(diffId)),
  }))
  await addText(tar, 'manifest.json', JSON.stringify(list))
  tar.finalize()
}

const hexOf = (digest: string): string => digest.slice('sha256:'.length)
const layerFile = (diffId: string): string => `${hexOf(diffId)}.tar`
const configFile = (image: Image): string => `${hexOf(image.id)}.json`
