export type { RoleWork } from './campaign.ts'
export { Leadership } from './leadership.ts'
export type { Role } from './role.ts'
export type { Term } from './term.ts'
