/** What BIRD says of one of its protocols. */
export interface BirdProtocol {
  readonly name: string
  readonly isBgp: boolean
  readonly isUp: boolean
  /** Milliseconds since the epoch. */
  readonly since: number
  /** `Established`, or what it is at (`Connect`, `Active`, `Idle`). */
  readonly state: string
  /** What went wrong last. */
  readonly lastError?: string
}

export interface BirdRoute {
  readonly block: string
  /** Protocol that it was learned from. */
  readonly from: string
  /** False: the next hop is not reachable from here. */
  readonly reachable: boolean
  readonly via?: string
  readonly device?: string
}

/** `show protocols`, with times as seconds since the epoch. */
export function readProtocols(lines: readonly string[]): BirdProtocol[] {
  return lines.flatMap((line) => {
    const [name = '', kind, , state, since = '', info = '', ...rest] = line.trim().split(/\s+/)
    if (!/^\d+$/.test(since)) return []
    const lastError = rest.join(' ')
    return {
      ...{ name, isBgp: kind === 'BGP', isUp: state === 'up' && (kind !== 'BGP' || info === 'Established') },
      ...{ since: Number(since) * 1000, state: info },
      ...(lastError === '' ? {} : { lastError }),
    }
  })
}

/** `show route primary`: one route a block, its next hop on the line after it. */
export function readBirdRoutes(lines: readonly string[]): BirdRoute[] {
  const routes: BirdRoute[] = []
  for (const line of lines) {
    const head = /^([\da-f][\da-f.:]*\/\d+)\s+(\w+) \[(\S+) /.exec(line)
    if (head !== null) {
      const [, block = '', kind, from = ''] = head
      routes.push({ block, from, reachable: kind === 'unicast' })
      continue
    }
    const hop = /^\s*via (\S+) on (\S+)/.exec(line)
    const last = routes.at(-1)
    if (hop !== null && last !== undefined && last.via === undefined)
      routes[routes.length - 1] = { ...last, via: hop[1] ?? '', device: hop[2] ?? '' }
  }
  return routes
}
