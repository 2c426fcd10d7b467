import type { AppSpec } from './app-spec.ts'

export interface Release {
  readonly app: string
  /** `v7` */
  readonly id: string
  readonly commit?: string
  readonly subject?: string
  /** What instances run: `sha256:…` image id (or a digest reference for registry images). */
  readonly image: string
  readonly spec: AppSpec
  readonly build?: string
  readonly createdAt: number
  readonly createdBy: string
}
