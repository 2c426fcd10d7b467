/**
 * An address that is an entrypoint's for as long as it keeps its addresses: nobody else is given it, whether or not an instance has it now.
 * Key `/kept-addresses/<address>`.
 */
export interface KeptAddress {
  readonly address: string
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  /** From 1: the instance that has this number has this address. */
  readonly slot: number
  readonly since: number
}
