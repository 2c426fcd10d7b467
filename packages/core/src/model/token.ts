export type Role = 'admin' | 'deployer' | 'viewer'

export interface Token {
  readonly name: string
  readonly owner: string
  readonly role: Role
  /** SHA-256 of the token's text; the text itself is shown once and never kept. */
  readonly hash: string
  readonly createdAt: number
  readonly createdBy: string
  readonly expiresAt?: number
}
