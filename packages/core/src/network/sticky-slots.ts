/** Of a member for clients that are to stay: `to` tells it apart, the same on all gateways. */
export interface StickyMember {
  readonly to: string
  /** Relative to the others; more than 0. */
  readonly weight: number
}

/** Addresses of clients are hashed into so many. With 3 members each has its share to about 4 %, with 100 to about 30 %. */
export const stickySlots = 1_024

/**
 * Which of the members each slot leads to, as places in the list: by the highest of the members' weighted draws for it (rendezvous hashing). So a
 * member that leaves takes its own slots with it and moves no other one, one that comes takes its share from all, and every gateway decides alike
 * without having heard of any other. Empty when there is no member.
 */
export function stickySlotsOf(members: readonly StickyMember[]): number[] {
  if (members.length === 0) return []
  const seeds = members.map(({ to }) => hashOf(to))
  return Array.from({ length: stickySlots }, (_, slot) => {
    let [best, lowest] = [0, Number.POSITIVE_INFINITY]
    members.forEach(({ to, weight }, place) => {
      const draw = -Math.log((mix(seeds[place]! ^ Math.imul(slot + 1, 0x9e37_79b1)) + 0.5) / 2 ** 32) / weight
      if (draw > lowest || (draw === lowest && to > members[best]!.to)) return
      best = place
      lowest = draw
    })
    return best
  })
}

/**
 * By which the kernel remembers a member: a number in nft's form of a class (`1f2a:3b4c`), the same for one address and port for ever. Never one of
 * the priorities that packets have by themselves, which are small.
 */
export function stickyId(to: string): string {
  const id = (mix(hashOf(to)) | 0x8000_0000) >>> 0
  return `${(id >>> 16).toString(16)}:${(id & 0xffff).toString(16)}`
}

/** FNV-1a */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  return hash >>> 0
}

/** Every bit of the result depends on every bit of `value`. */
function mix(value: number): number {
  let hash = value >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
