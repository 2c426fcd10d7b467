import type { Readable } from 'node:stream'
import type { BuildEvent, BuildRequest } from '@berth/api'
import type { NodeImage } from '@berth/core'

/** What the link needs of the builder. */
export interface BuildRunner {
  /** Ends with `done` or `failed`. An abort cancels the build. */
  build(request: BuildRequest, context: Readable, options: { readonly signal: AbortSignal }): AsyncIterable<BuildEvent>
  /** False when no such build runs or waits. */
  cancel(id: string): boolean
  listImages(options: { readonly signal: AbortSignal }): Promise<readonly NodeImage[]>
  removeImage(reference: string, options: { readonly signal: AbortSignal }): Promise<void>
}
