import { z } from 'zod'

/** Resources of the node configuration as they travel over HTTP. Times are milliseconds since the epoch. */
const time = z.number().int()

/** One item that is, or is to be, another: `null` is none. Content of private files is left out. */
export const itemChangeView = z.object({ key: z.string(), before: z.unknown(), after: z.unknown() })

export const configSourceView = z.object({
  repository: z.string().optional(),
  commit: z.string().optional(),
  subject: z.string().optional(),
  /** Of the document, in the repository or where it was sent from. */
  path: z.string(),
  /** It is the content of this version. */
  rollbackTo: z.number().int().optional(),
})

export const configRolloutState = z.enum(['running', 'undoing', 'done', 'stopped', 'undone', 'superseded'])

export const configVersionView = z.object({
  version: z.number().int(),
  source: configSourceView,
  state: configRolloutState,
  /** What it is doing, or why it ended. */
  message: z.string(),
  createdAt: time,
  endedAt: time.optional(),
  createdBy: z.string(),
})

export const configVersionDetail = configVersionView.extend({
  /** The canonical document (`NodeConfigSpec` of @berth/core). */
  spec: z.unknown(),
})

/** What a node has of the configuration. */
export const nodeConfigView = z.object({
  /** In force, as its agent says; 0: none. */
  version: z.number().int(),
  /** Told by the server; another than `version` while it is on its way, or refused. */
  wanted: z.number().int(),
  state: z.enum(['none', 'waiting', 'applying', 'applied', 'undone', 'failed', 'returning', 'returned']),
  since: time.optional(),
  /** Why it was undone, or failed. */
  why: z.string().optional(),
  /** Last lines of the command that failed. */
  output: z.array(z.string()).optional(),
  /** Items that are not what the version says, as they are (`before`) and should be (`after`). */
  drift: z.array(itemChangeView),
})

export const nodeConfigStatus = z.object({
  /** The newest version; absent: nothing was ever applied. */
  current: configVersionView.optional(),
  nodes: z.array(z.object({ node: z.string(), online: z.boolean(), config: nodeConfigView })),
})

export const nodeConfigPlan = z.object({
  node: z.string(),
  changes: z.array(itemChangeView),
  docker: z.enum(['none', 'reload', 'restart']),
  /** What cannot be done. */
  problems: z.array(z.string()),
  /** Left as they are: somebody has changed them since, and nothing names them any more. */
  leftAsFound: z.array(z.string()),
  /** Why nothing is known of it, such as that it is offline. */
  unknown: z.string().optional(),
})

export const configPlan = z.object({
  /** The number that it would get. */
  version: z.number().int(),
  source: configSourceView,
  nodes: z.array(nodeConfigPlan),
})

export type ConfigVersionView = z.infer<typeof configVersionView>
export type ConfigVersionDetail = z.infer<typeof configVersionDetail>
export type NodeConfigView = z.infer<typeof nodeConfigView>
export type NodeConfigStatusView = z.infer<typeof nodeConfigStatus>
export type NodeConfigPlanView = z.infer<typeof nodeConfigPlan>
export type ConfigPlanView = z.infer<typeof configPlan>
export type ItemChangeView = z.infer<typeof itemChangeView>
