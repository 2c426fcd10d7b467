import { X509Certificate } from 'node:crypto'
import type { ClusterRegistryView, RegistryImageView } from '@berth/api'
import type { ImageOfApp, RegistryStatus } from '../registry/cluster-registry.ts'
import { defined } from './view-context.ts'

export function clusterRegistryView({ place, report, problem, missing }: RegistryStatus): ClusterRegistryView {
  const certificate = report?.certificatePem
  return {
    ...defined({ node: place?.node, host: place?.host, since: place?.since, by: place?.by }),
    ...{ running: report?.running === true, images: report?.images.length ?? 0, missing },
    ...defined({ problem, sizeBytes: report?.sizeBytes, freeBytes: report?.freeBytes, collected: report?.collected }),
    ...(certificate === undefined
      ? {}
      : { certificateExpiresAt: new X509Certificate(certificate).validToDate.getTime() }),
  }
}

export const registryImageView = ({ image, stored, releases }: ImageOfApp): RegistryImageView => ({
  ...{ image, pushedAt: stored.pushedAt, releases: [...releases] },
  ...defined({ commit: stored.commit, builtAt: stored.builtAt, bytes: stored.bytes }),
})
