import type { Answer } from '@berth/api/client'
import type { EndpointName, Endpoints } from '@berth/api/endpoints'

type ListEndpoint = {
  [N in EndpointName]: Endpoints[N]['transport'] extends 'list' ? N : never
}[EndpointName]

/** The id of an item in its listing: what `delete` events of the watch carry. Of every listing that the console shows. */
const keys = {
  listApps: (app) => app.name,
  listBuilds: (build) => build.id,
  listReleases: (release) => release.id,
  listRollouts: (rollout) => rollout.id,
  listInstances: (instance) => instance.id,
  listNodes: (node) => node.name,
  listServers: (server) => server.name,
  listNodeConfigVersions: (config) => String(config.version),
  listGroups: (group) => group.name,
  listApprovals: (approval) => `${approval.app}/${approval.pool}/${approval.entrypoint}`,
  listCrons: (cron) => `${cron.app}/${cron.pool}/${cron.entrypoint}`,
  listSecrets: (secret) => `${secret.environment ?? '_'}/${secret.name}`,
  listTokens: (token) => token.name,
  listRoutes: (route) => route.url,
  listCertificates: (certificate) => certificate.name,
  listProfiles: (profile) => profile.name,
  listExternals: (external) => external.name,
  listDomains: (domain) => domain.name,
  listLans: (lan) => lan.name,
  listFreezes: (freeze) => freeze.name,
  listApprovalRules: (rule) => rule.name,
  listHookTargets: (target) => target.name,
  listSubscriptions: (subscription) => subscription.name,
  listFailoverAddresses: (each) => each.address,
  listEvents: (event) => event.id,
} satisfies { readonly [N in ListEndpoint]?: (item: Answer<N>) => string }

export type ListName = keyof typeof keys

export function keyOf<N extends ListName>(name: N, item: Answer<N>): string {
  const read = keys[name] as (item: Answer<N>) => string
  return read(item)
}
