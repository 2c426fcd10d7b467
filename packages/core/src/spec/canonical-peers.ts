import { isName } from '../model/names.ts'
import type { PlacementPeer } from '../model/placement-spec.ts'
import type { Siblings } from './canonical-bind.ts'
import { closest } from './closest.ts'
import { specDefaults } from './defaults.ts'
import { compareText, given, requireKey } from './read-values.ts'
import type { PeerDocument, PlacementDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

/** `db` is the app's own entrypoint, `shop/db` another app's, `shop/*` all of an app. */
export function canonicalPeers(
  issues: IssueList,
  path: SpecPath,
  list: PlacementDocument['apart'],
  siblings: Siblings,
): readonly PlacementPeer[] {
  const peers = new Map<string, PlacementPeer>()
  for (const [index, item] of given(list)) {
    const short = typeof item === 'string'
    const at = (key: string): SpecPath => (short ? [...path, index] : [...path, index, key])
    const { to, soft, over } = short ? ({ to: item } as PeerDocument) : item
    const weight = readSoft(issues, at('soft'), soft)
    if (over !== undefined) issues.take(at('over'), parseLabelName(over))
    if (!requireKey(issues, [...path, index], 'to', to)) continue
    const peer = readPeer(issues, at('to'), to, siblings)
    if (peer === undefined) continue
    const whole = { ...peer, ...(weight === undefined ? {} : { weight }), ...(over === undefined ? {} : { over }) }
    const name = formatPeer(whole)
    if (peers.has(name)) issues.add(at('to'), `${name} is given twice`)
    peers.set(name, whole)
  }
  return [...peers.values()].sort((a, b) => compareText(formatPeer(a), formatPeer(b)))
}

/** `shop/db`, `shop/*`, `shop/db over site` */
export const formatPeer = (peer: PlacementPeer): string =>
  peer.over === undefined ? formatTarget(peer) : `${formatTarget(peer)} over ${peer.over}`

export const formatTarget = ({ app, entrypoint }: PlacementPeer): string => `${app}/${entrypoint ?? '*'}`

const labelName = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/

/** A label of nodes. */
export const parseLabelName = (text: string): Parsed<string> =>
  labelName.test(text)
    ? parsed(text)
    : refused(`${JSON.stringify(text.slice(0, 80))} cannot name a label of nodes`, 'write one such as site')

function readSoft(issues: IssueList, path: SpecPath, soft: PeerDocument['soft']): number | undefined {
  if (soft === undefined || soft === false) return undefined
  if (soft === true) return specDefaults.weight
  if (soft >= 1 && soft <= 100) return soft
  issues.add(path, `${soft} is out of range (1 to 100)`)
  return undefined
}

function readPeer(issues: IssueList, path: SpecPath, to: string, siblings: Siblings): PlacementPeer | undefined {
  const [first = '', second, ...rest] = to.split('/')
  const own = second === undefined || first === siblings.app
  const app = second === undefined ? siblings.app : first
  const entrypoint = second ?? first
  const isWhole = second === '*'
  if (rest.length > 0 || !(own || isName(app)) || !(isWhole || isName(entrypoint))) {
    const suggestion = 'write an entrypoint of this app (`db`), of another one (`shop/db`), or a whole app (`shop/*`)'
    issues.add(path, `${JSON.stringify(to)} is nothing to keep apart from or near to`, { suggestion })
    return undefined
  }
  if (isWhole) return { app }
  if (own) checkSibling(issues, path, entrypoint, siblings)
  return { app, entrypoint }
}

function checkSibling(issues: IssueList, path: SpecPath, name: string, { entrypoints }: Siblings): void {
  if (Object.hasOwn(entrypoints, name)) return
  const near = closest(name, Object.keys(entrypoints))
  const suggestion = near === undefined ? `all of another app is written ${name}/*` : `did you mean "${near}"?`
  issues.add(path, `this app has no entrypoint "${name}"`, { suggestion, dependsOn: [['entrypoints', name]] })
}
