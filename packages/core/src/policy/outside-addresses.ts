import { type AddressBlock, blockSize, containsAddress, formatAddress, parseBlock } from '../network/address-block.ts'
import type { PolicyWorld } from './policy-world.ts'

/** Nobody from elsewhere comes from these. */
const never = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseBlock)

/**
 * Addresses that belong to nobody, one for each part into which the networks that rules name divide what is outside. `inside`: blocks of
 * nodes, where nobody can be but who is there.
 */
export function outsideAddresses(
  world: PolicyWorld,
  nets: readonly AddressBlock[],
  inside: readonly AddressBlock[],
): string[] {
  const closed = [...never, ...inside]
  const edges = [...closed, ...nets].flatMap((block) => [block.base, block.base + blockSize(block)])
  const starts = [...new Set([0, ...edges])].filter((edge) => edge < 2 ** 32).sort((a, b) => a - b)
  return starts.flatMap((start, index) => {
    if (closed.some((block) => containsAddress(block, start))) return []
    const found = firstOfNobody(start, starts[index + 1] ?? 2 ** 32, world)
    return found === undefined ? [] : [found]
  })
}

function firstOfNobody(from: number, end: number, world: PolicyWorld): string | undefined {
  for (let at = from; at < end; at++) {
    const address = formatAddress(at)
    if (!world.endpoints.has(address) && !world.nodes.has(address) && world.externals?.has(address) !== true)
      return address
  }
  return undefined
}
