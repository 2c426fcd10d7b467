import { BerthError } from '@berth/core'
import { type Identity, mayActAs, requireRole } from '../../auth/identity.ts'
import type { Services } from '../services.ts'

interface NamedRepository {
  readonly repository?: string | undefined
  readonly vcs?: 'git' | 'svn' | undefined
}

/**
 * Who names a repository makes the server read it: by the network as the server, or on the server's own disk as its user. Looking needs
 * neither, so viewers name none; the server's disk is its owner's, so only admins name what is there, unless the configuration says which
 * folders are meant for it. What is registered already is everybody's. Throws `auth.forbidden`, `source.path-needs-admin`.
 */
export function checkRepository(
  { views, sources }: Pick<Services, 'views' | 'sources'>,
  identity: Identity,
  app: string,
  { repository, vcs }: NamedRepository,
): void {
  const known = views.state.apps.get(app)
  const kind = vcs ?? known?.vcs ?? 'git'
  if (repository === undefined || (known?.repository === repository && known.vcs === kind)) return
  requireRole(identity, 'deployer', `name another repository for ${app}`)
  if (mayActAs(identity, 'admin') || !sources.isOnServerDisk(repository, kind)) return
  throw new BerthError(
    'source.path-needs-admin',
    `${identity.actor} cannot make the server read ${repository} on its own disk: give a URL, deploy from a work tree, or ask an admin to register it`,
    { details: { repository } },
  )
}
