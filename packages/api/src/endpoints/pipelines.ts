import { z } from 'zod'
import { buildView, rolloutView } from '../deploy-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { pipelineDocument, pipelineView, webhookSecretView } from '../pipeline-resources.ts'
import { appParams, ifVersion, none, ok } from './shared.ts'

/** From a push to an image, and through environments. */
export const pipelinesEndpoints = {
  getPipeline: defineEndpoint({
    method: 'GET',
    path: '/v1/apps/:app/pipeline',
    summary: 'What is built after a push, where it goes, and through which environments it is promoted',
    role: 'viewer',
    transport: 'json',
    params: appParams,
    query: none,
    body: none,
    response: pipelineView,
  }),
  setPipeline: defineEndpoint({
    method: 'PUT',
    path: '/v1/apps/:app/pipeline',
    summary:
      'Make or change a pipeline: what is not said is not there; with `version` only if it still has that one (0: if there is none)',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: ifVersion,
    body: pipelineDocument,
    response: pipelineView,
  }),
  removePipeline: defineEndpoint({
    method: 'DELETE',
    path: '/v1/apps/:app/pipeline',
    summary: 'Forget a pipeline: pushes build nothing any more, webhooks are refused',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: none,
    response: ok,
  }),
  createWebhookSecret: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pipeline/webhook',
    summary: 'A new secret for webhooks of GitHub, GitLab and Gitea; the one before is worth nothing from then on',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: none,
    response: webhookSecretView,
  }),
  lookAtPipeline: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pipeline/look',
    summary: 'Ask the repository now what was pushed, and build it',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: z.strictObject({
      /** Built even at the very first look, if they are there. */
      refs: z.array(z.string().max(300)).max(20).default([]),
      by: z.enum(['webhook', 'poll', 'person']).default('person'),
    }),
    response: z.object({ builds: z.array(buildView), skipped: z.array(z.string()) }),
  }),
  promoteRelease: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/promotions',
    summary: 'The same image, one environment further in the chain; nothing said: the furthest that can move',
    role: 'deployer',
    transport: 'json',
    params: appParams,
    query: none,
    body: z.strictObject({
      from: z.string().optional(),
      to: z.string().optional(),
      release: z.string().optional(),
      /** Although it has not succeeded in the environment before. */
      force: z.boolean().default(false),
      /** Why, where it is forced; kept in an event. */
      reason: z.string().max(500).optional(),
    }),
    response: z.object({ from: z.string(), rollout: rolloutView }),
  }),
} as const
