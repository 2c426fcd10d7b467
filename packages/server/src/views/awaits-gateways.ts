/** Why an instance still drains. After five minutes it is stopped all the same. */
export const awaitsGateways = (names: readonly string[]): string =>
  `waits for the ${names.length === 1 ? 'gateway' : 'gateways'} of ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''} to let it go`
