import { z } from 'zod'
import { poolView } from '../app-resources.ts'
import { rolloutView } from '../deploy-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import * as p from '../planning-resources.ts'
import { appParams, nameParams, none, poolParams, replicas } from './shared.ts'

/** What would be, and doing exactly that. */
export const planningEndpoints = {
  planDeploy: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/plan',
    summary:
      'What a deploy would change and where instances would run, with nothing done; also on other nodes than there are',
    role: 'viewer',
    transport: 'json',
    params: appParams,
    query: none,
    body: z.strictObject({
      repository: z.string().optional(),
      vcs: z.enum(['git', 'svn']).optional(),
      ref: z.string().optional(),
      release: z.string().optional(),
      pool: z.string(),
      replicas: replicas.optional(),
      ...p.hypothesis,
    }),
    response: p.planView,
  }),
  applyPlan: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/apply',
    summary: 'Do what was planned, node by node; refused when the world has moved since',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: z.strictObject({ plan: p.savedPlan }),
    response: z.object({ pool: poolView, rollout: rolloutView.optional() }),
  }),
  getCapacity: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pools/:pool/capacity',
    summary: 'How many more instances of each service fit, and what runs out first',
    role: 'viewer',
    transport: 'json',
    params: poolParams,
    query: none,
    body: z.strictObject(p.hypothesis),
    response: z.object({ entrypoints: z.array(p.capacityView) }),
  }),
  getCoreMap: defineEndpoint({
    method: 'GET',
    path: '/v1/nodes/:name/cores',
    summary: 'Who owns which core of a node, and how busy each is',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: p.coreMapView,
  }),
} as const
