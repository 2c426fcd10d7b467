export type { AgentConfig } from './config.ts'
export { type EnrolOptions, enrol } from './link/enrol.ts'
export { type NodeIdentity, readIdentity } from './link/node-identity.ts'
export { runAgent } from './main.ts'
