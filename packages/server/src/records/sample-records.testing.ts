import type { App, Instance } from '@berth/core'

export const app = (name: string): App => ({ name, vcs: 'git', createdAt: 1, createdBy: 'local:0', nextRelease: 1 })
export const instance = (id: string, node?: string): Instance => ({
  id,
  app: 'shop',
  pool: 'production',
  entrypoint: 'web',
  ordinal: 1,
  release: 'v1',
  generation: 1,
  type: 'service',
  desired: 'run',
  restartNonce: 0,
  createdAt: 1,
  createdBy: 'local:0',
  ...(node === undefined ? {} : { node }),
})
