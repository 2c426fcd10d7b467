import { createHash } from 'node:crypto'
import type { Assignment, InstanceMemory, SecretFile } from '@berth/core'
import { decodeChecked, encodeChecked } from './checked-json.ts'
import type { Sealer } from './sealer.ts'

/** Everything the agent keeps of one instance. */
export interface InstanceRecord {
  /** Its secrets are empty when `secretsLost`. */
  readonly assignment: Assignment
  readonly memory: InstanceMemory
  /** The key that sealed the secrets is gone; the server sends them again. */
  readonly secretsLost: boolean
}

interface StoredRecord {
  readonly assignment: Assignment
  readonly sealedSecrets?: string
  readonly memory: InstanceMemory
}

const format = 1

export function encodeRecord(record: Omit<InstanceRecord, 'secretsLost'>, sealer: Sealer): string {
  const { assignment, memory } = record
  const { secrets } = assignment
  const stored: StoredRecord = {
    assignment: { ...assignment, secrets: [] },
    ...(secrets.length === 0 ? {} : { sealedSecrets: sealer.seal(JSON.stringify(secrets), assignment.instance) }),
    memory,
  }
  return encodeChecked(format, stored)
}

/** Throws `state.corrupt`. */
export function decodeRecord(text: string, what: string, sealer: Sealer): InstanceRecord {
  const { assignment, sealedSecrets, memory } = decodeChecked<StoredRecord>(format, text, what)
  const secrets = sealedSecrets === undefined ? [] : unsealSecrets(sealedSecrets, assignment.instance, sealer)
  return { assignment: { ...assignment, secrets: secrets ?? [] }, memory, secretsLost: secrets === undefined }
}

function unsealSecrets(sealed: string, instance: string, sealer: Sealer): readonly SecretFile[] | undefined {
  try {
    return JSON.parse(sealer.open(sealed, instance)) as SecretFile[]
  } catch {
    return undefined
  }
}

/**
 * An assignment for a container's label, from which a lost record is made again. Configuration files lie on the node's disk beside it
 * and would make the label too long.
 */
export function sealAssignment(assignment: Assignment, sealer: Sealer): string {
  const config = assignment.config.map((file) => ({ ...file, content: '' }))
  return sealer.seal(JSON.stringify({ ...assignment, config }), assignment.instance)
}

/** undefined when the label is not ours or was sealed with another key. */
export function unsealAssignment(label: string, instance: string, sealer: Sealer): Assignment | undefined {
  try {
    return JSON.parse(sealer.open(label, instance)) as Assignment
  } catch {
    return undefined
  }
}

/** Digest of what never changes for an instance. Secrets are left out: a digest of a short one could be guessed. */
export function assignmentDigest(assignment: Assignment): string {
  const { desired: _desired, restartNonce: _nonce, published: _published, secrets, ...rest } = assignment
  const { networks: _networks, ...shape } = rest
  const { cpuMilli: _cpu, memoryBytes: _memory, cores: _cores, burst: _burst, bandwidth: _bandwidth, ...fixed } = shape
  const files = secrets.map(({ file, env }) => ({ file, env }))
  return createHash('sha256')
    .update(JSON.stringify({ ...fixed, files }))
    .digest('hex')
}
