/** How far apart two releases are. `near`: they work together. `apart`: they work, but one should follow. `far`: they do not talk. */
export type VersionDistance = 'same' | 'near' | 'apart' | 'far'

/** Minor versions at which a server and an agent still talk, so that the nodes of a cluster can follow one by one. */
const maxMinors = 3

/** Undefined where one of them is no version, as before a node has told its own. */
export function versionDistance(a: string, b: string): VersionDistance | undefined {
  if (a === b && a !== '') return 'same'
  const [left, right] = [parse(a), parse(b)]
  if (left === undefined || right === undefined) return undefined
  if (left.major !== right.major) return 'far'
  const minors = Math.abs(left.minor - right.minor)
  if (minors > maxMinors) return 'far'
  return minors > 1 ? 'apart' : 'near'
}

function parse(text: string): { readonly major: number; readonly minor: number } | undefined {
  const match = /^v?(\d{1,6})\.(\d{1,6})(?:\.|-|$)/.exec(text)
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) }
}

/** What is to be said of a node whose agent has another version than the server; undefined when nothing is. */
export function versionProblem(node: string, agent: string, server: string): string | undefined {
  const distance = versionDistance(agent, server)
  if (distance === 'apart')
    return `its agent has version ${agent}, the server ${server}: more than one minor version apart; berth node upgrade ${node}`
  if (distance === 'far')
    return `${tooFarApart(agent, server)}; install the server's version there: berth node add, or berth node join, again`
  return undefined
}

export const tooFarApart = (agent: string, server: string): string =>
  `the agent has version ${agent} and the server ${server}, which are too far apart to work together (the same major version, at most ${maxMinors} minor versions apart)`
