import { type GatewayPlace, gatewayOf, type NetworkConfig, parseBlock, twinOf, twinRange } from '@berth/core'
import { twinBlocksOf } from '../network/ipv6-plan.ts'

/** Of the node's network as servers have told it; undefined: they have told none yet. */
export function gatewayPlace(network: NetworkConfig | undefined): GatewayPlace | undefined {
  if (network === undefined) return undefined
  const own = [network.block, ...(network.blocks ?? [])].filter((each) => each !== '')
  const pools = network.pools ?? [network.pool]
  const [first] = own
  const gateway = first === undefined ? undefined : gatewayOf(parseBlock(first))
  const gateway6 = gateway === undefined ? undefined : twinOf((network.twins ?? []).map(twinRange), gateway)
  return {
    own: [...own, ...twinBlocksOf(network, own)],
    pools: [...pools, ...twinBlocksOf(network, pools)],
    ...(gateway === undefined ? {} : { gateway }),
    ...(gateway6 === undefined ? {} : { gateway6 }),
  }
}
