/** Words that hands know from docker, kubectl, nomad and kamal where Berth has another one, by the word that was typed; what to say instead. */
export const instead: Readonly<Record<string, string>> = {
  alloc: 'berth ps, berth inspect',
  app: 'berth apps, berth ps',
  audit: 'berth events',
  config: 'berth inspect APP, berth diff',
  container: 'berth ps',
  containers: 'berth ps',
  delete: 'berth rm',
  deployment: 'berth rollouts',
  describe: 'berth inspect',
  destroy: 'berth rm',
  details: 'berth inspect',
  eval: 'berth plan',
  explain: 'berth schema, berth net explain',
  get: 'berth ps (instances), berth apps, berth routes, berth node ls',
  history: 'berth releases, berth rollouts',
  info: 'berth status',
  instances: 'berth ps',
  job: 'berth apps, berth run, berth cron',
  kill: 'berth stop, berth restart',
  list: 'berth apps, berth ps',
  network: 'berth net',
  redeploy: 'berth deploy, berth restart',
  remove: 'berth rm',
  secrets: 'berth secret ls',
  service: 'berth apps, berth ps',
  services: 'berth apps, berth ps',
  setup: 'berth up, berth node add',
  show: 'berth inspect',
  stack: 'berth apps, berth deploy',
  stats: 'berth top',
  swarm: 'berth up, berth node add',
  system: 'berth status, berth image',
  undo: 'berth rollback',
  upgrade: 'berth node upgrade',
  volume: 'berth inspect APP',
}

/**
 * Commander's line about a command that Berth has not, with what there is instead of its guess by letters. Any other line as it is.
 */
export function withOtherWords(line: string): string {
  const [, word = ''] = /^error: unknown command '([^']*)'/.exec(line) ?? []
  const known = Object.hasOwn(instead, word) ? instead[word] : undefined
  return known === undefined ? line : `error: unknown command '${word}'; here it is: ${known}\n`
}
