import type { BuildEvent, BuildRequest } from '@berth/api'
import type { Build, ChosenBuildNode } from '@berth/core'

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** The nodes' agents, as far as building needs them. */
export interface BuildAgents {
  /** The node to build an app on. Throws `build.no-node`. */
  pickNode(build: Pick<Build, 'id' | 'app'>): ChosenBuildNode
  /** Ending the loop early cancels the build. */
  build(
    node: string,
    request: BuildRequest,
    context: AsyncIterable<Uint8Array>,
    options: CallOptions,
  ): AsyncIterable<BuildEvent>
  /** Id of an image on the node, which pulls it if need be; with `refresh` it pulls even if it has one, and keeps that if it cannot. */
  resolveImage(node: string, image: string, options: CallOptions & { readonly refresh?: boolean }): Promise<string>
  /** The node has the image of this id or tag. Never pulls. */
  imageExists(node: string, image: string, options: CallOptions): Promise<boolean>
}

export interface KnownImage {
  readonly image: string
  /** Where it was built. */
  readonly node?: string | undefined
}

/** Images that were built before, by the digest of what they were built from. */
export interface ReuseIndex {
  /** Newest first. */
  find(inputs: string): Iterable<KnownImage>
}
