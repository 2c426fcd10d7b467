import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { BuildEvent, BuildRequest } from '@berth/api'
import { BerthError, type ChosenBuildNode } from '@berth/core'
import { readTar } from '../source/repositories.testing.ts'
import type { BuildAgents, KnownImage, ReuseIndex } from './build-ports.ts'

export interface BuildCall {
  readonly node: string
  readonly request: BuildRequest
  /** The context's files. */
  readonly files: Readonly<Record<string, string>>
}

/** One pretended node: images by tag or reference, and every build that was asked for. */
export class FakeAgents implements BuildAgents {
  readonly builds: BuildCall[] = []
  readonly pulls: string[] = []
  readonly images = new Map<string, string>()
  /** What a build does before it is done; its lines are printed. */
  onBuild: (call: BuildCall) => Iterable<BuildEvent> | AsyncIterable<BuildEvent> = () => []
  #count = 0

  pickNode(): ChosenBuildNode {
    return { name: 'node-a', kind: 'shared' }
  }

  async *build(
    node: string,
    request: BuildRequest,
    context: AsyncIterable<Uint8Array>,
    { signal }: { signal?: AbortSignal },
  ) {
    const call = { node, request, files: await readTar(Readable.from(context, { objectMode: false })) }
    this.builds.push(call)
    yield { type: 'output', at: 1, line: `building ${request.tag}` } as const
    for await (const event of this.onBuild(call)) {
      signal?.throwIfAborted()
      yield event
      if (event.type !== 'output') return
    }
    this.#count += 1
    const image = imageId(String(this.#count))
    this.images.set(request.tag, image)
    yield { type: 'done', image } as const
  }

  async resolveImage(_node: string, image: string, { refresh }: { refresh?: boolean }): Promise<string> {
    if (refresh === true) this.pulls.push(image)
    const id = this.images.get(image)
    if (id === undefined) throw new BerthError('engine.image-unavailable', `pull image ${image}: no such host`)
    return id
  }

  async imageExists(_node: string, image: string): Promise<boolean> {
    return this.images.has(image) || [...this.images.values()].includes(image)
  }
}

export class FakeIndex implements ReuseIndex {
  readonly known = new Map<string, KnownImage[]>()

  find(inputs: string): readonly KnownImage[] {
    return this.known.get(inputs) ?? []
  }
}

export const imageId = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
