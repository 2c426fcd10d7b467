import type { Build } from '@berth/core'
import type { Records, State } from '../../records/index.ts'
import type { LiveBooks } from '../../schedule/live-books.ts'
import type { SpecReader } from '../build-port.ts'

export interface OperationsContext {
  readonly records: Records
  readonly state: State
  readonly now: () => number
  readonly defaultPool: string
  readonly isOnline: (node: string) => boolean
  readonly books: LiveBooks
  readonly specs: SpecReader
  /** Ends a build that is under way on this server. */
  readonly cancelBuild: (build: Build) => void
}
