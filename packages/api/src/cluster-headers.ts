/** What servers of one cluster tell their callers beside the answer; `docs/design/many-servers.md` says what for. */
export const clusterHeaders = {
  /** In answers: how far the server's records are. In calls: how far they have to be before it answers. */
  revision: 'berth-revision',
  /** `host:port` of every server that is up, with blanks between. */
  servers: 'berth-servers',
  /** Seconds since a server that is cut off from the store has heard of it. */
  stateAge: 'berth-state-age',
} as const

/** A revision of one history: another store's numbers say nothing about it. */
export interface SeenRevision {
  readonly revision: number
  /** Absent: whichever the server has. */
  readonly epoch?: string
}

/** `1234; epoch=9f2c` */
export const formatRevision = ({ revision, epoch }: SeenRevision): string =>
  epoch === undefined ? String(revision) : `${revision}; epoch=${epoch}`

/** undefined for what is no revision. */
export function parseRevision(text: string | undefined): SeenRevision | undefined {
  const [, digits, epoch] = /^ *(\d{1,15})(?: *; *epoch=([\w-]{1,100}))? *$/.exec(text ?? '') ?? []
  if (digits === undefined) return undefined
  return { revision: Number(digits), ...(epoch === undefined ? {} : { epoch }) }
}

/** The one that is further; of another history the newer word counts. */
export const laterRevision = (known: SeenRevision | undefined, heard: SeenRevision): SeenRevision =>
  known !== undefined && known.epoch === heard.epoch && known.revision >= heard.revision ? known : heard
