import { type AddressBlock, blockSize, formatAddress, parseBlock } from '../network/address-block.ts'
import { type AddressBlock6, formatAddress6, parseBlock6 } from '../network/address6.ts'
import { bookedAddress, type PolicyWorld } from './policy-world.ts'

/** A part of all addresses, from the first on and without the last. */
interface Span {
  readonly first: bigint
  readonly end: bigint
}

const spanOf = (block: AddressBlock): Span => ({
  first: BigInt(block.base),
  end: BigInt(block.base + blockSize(block)),
})
const spanOf6 = ({ base, prefix }: AddressBlock6): Span => ({ first: base, end: base + (1n << BigInt(128 - prefix)) })

/** Nobody from elsewhere comes from these. */
const never = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map((each) => spanOf(parseBlock(each)))
const never6 = ['::/8', 'fe80::/10', 'ff00::/8'].map((each) => spanOf6(parseBlock6(each)))

/**
 * Addresses that belong to nobody, one for each part into which the networks that rules name divide what is outside. `inside`: blocks of
 * nodes, where nobody can be but who is there.
 */
export function outsideAddresses(
  world: PolicyWorld,
  nets: readonly AddressBlock[],
  inside: readonly AddressBlock[],
): string[] {
  const closed = [...never, ...inside.map(spanOf)]
  return oneOfEach({ closed, nets: nets.map(spanOf), end: 1n << 32n }, (at) => formatAddress(Number(at)), world)
}

/** Of IPv6; `inside`: the twins of blocks. */
export function outsideAddresses6(
  world: PolicyWorld,
  nets: readonly AddressBlock6[],
  inside: readonly AddressBlock6[],
): string[] {
  const closed = [...never6, ...inside.map(spanOf6)]
  return oneOfEach({ closed, nets: nets.map(spanOf6), end: 1n << 128n }, formatAddress6, world)
}

interface Parts {
  readonly closed: readonly Span[]
  readonly nets: readonly Span[]
  /** Behind the last address that there is. */
  readonly end: bigint
}

function oneOfEach({ closed, nets, end }: Parts, format: (at: bigint) => string, world: PolicyWorld): string[] {
  const edges = [...closed, ...nets].flatMap((span) => [span.first, span.end])
  const starts = [...new Set([0n, ...edges])].filter((edge) => edge < end).sort((a, b) => (a < b ? -1 : 1))
  return starts.flatMap((start, index) => {
    if (closed.some(({ first, end: behind }) => first <= start && start < behind)) return []
    const found = firstOfNobody(start, starts[index + 1] ?? end, format, world)
    return found === undefined ? [] : [found]
  })
}

function firstOfNobody(
  from: bigint,
  end: bigint,
  format: (at: bigint) => string,
  world: PolicyWorld,
): string | undefined {
  for (let at = from; at < end; at++) {
    const address = format(at)
    const booked = bookedAddress(world, address)
    if (!world.endpoints.has(booked) && !world.nodes.has(booked) && world.externals?.has(address) !== true)
      return address
  }
  return undefined
}
