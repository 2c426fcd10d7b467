import { z } from 'zod'
import { buildView, rolloutView } from '../deploy-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { appParams, count, flag, idParams, logLine, none, watch } from './shared.ts'

/** From a commit to a release and into a pool. */
export const deploysEndpoints = {
  deploy: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/deploys',
    summary: 'Build a commit if need be, then roll it out; goes on when the caller leaves',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: z.strictObject({
      /** Registers or moves the app's source. */
      repository: z.string().optional(),
      vcs: z.enum(['git', 'svn']).optional(),
      ref: z.string().default('HEAD'),
      /** A ready release instead of a commit. */
      release: z.string().optional(),
      pool: z.string(),
      force: z.boolean().default(false),
      /** Why it goes on although deploys are frozen. */
      overrideFreeze: z.string().min(1).max(500).optional(),
    }),
    response: z.object({ build: buildView.optional(), rollout: rolloutView.optional() }),
  }),
  startBuild: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/builds',
    summary: 'Build a commit',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: z.strictObject({
      repository: z.string().optional(),
      vcs: z.enum(['git', 'svn']).optional(),
      ref: z.string().default('HEAD'),
      noReuse: z.boolean().default(false),
    }),
    response: buildView,
  }),
  listBuilds: defineEndpoint({
    method: 'GET',
    path: '/v1/builds',
    summary: 'Builds, newest first',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: z.strictObject({ ...watch, app: z.string().optional(), limit: count }),
    body: none,
    response: buildView,
  }),
  getBuild: defineEndpoint({
    method: 'GET',
    path: '/v1/builds/:id',
    summary: 'One build',
    role: 'viewer',
    transport: 'json',
    params: idParams,
    query: none,
    body: none,
    response: buildView,
  }),
  getBuildOutput: defineEndpoint({
    method: 'GET',
    path: '/v1/builds/:id/output',
    summary: 'Output of a build, live with follow',
    role: 'viewer',
    transport: 'ndjson',
    params: idParams,
    query: z.strictObject({ follow: flag }),
    body: none,
    response: logLine,
  }),
  cancelBuild: defineEndpoint({
    method: 'POST',
    path: '/v1/builds/:id/cancel',
    summary: 'Cancel a build',
    role: 'deployer',
    transport: 'json',
    params: idParams,
    query: none,
    body: none,
    response: buildView,
  }),
} as const
