import { isIP } from 'node:net'
import { posix } from 'node:path'
import { type Assignment, BerthError } from '@berth/core'

/** What Docker accepts as a container's name, and what is safe as one part of a path. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}$/

/**
 * The server has validated what its users wrote; this guards the node's own disk against a server that is wrong: parts of paths stay
 * parts of paths. Throws `instance.invalid-assignment`.
 */
export function checkAssignment(assignment: Assignment): void {
  const { instance, app, pool, entrypoint } = assignment
  for (const [what, name] of Object.entries({ instance, app, pool, entrypoint })) {
    if (!namePattern.test(name)) throw invalid(instance, `the ${what}'s name ${JSON.stringify(name)} cannot be used`)
  }
  if (!Number.isSafeInteger(assignment.ordinal)) throw invalid(instance, 'its ordinal is no number')
  if (isIP(assignment.address) === 0) throw invalid(instance, `${JSON.stringify(assignment.address)} is no IP address`)
  if (assignment.image === '') throw invalid(instance, 'it has no image')
  for (const { file } of assignment.secrets) {
    if (file === '' || file === '.' || file === '..' || /[/\0]/.test(file)) {
      throw invalid(instance, `the secret's file ${JSON.stringify(file)} must be a plain file name`)
    }
  }
  const targets = [...assignment.config, ...assignment.volumes].map(({ path }) => path)
  for (const path of targets) {
    if (!posix.isAbsolute(path) || path.includes('\0') || posix.normalize(path) === '/') {
      throw invalid(instance, `the path ${JSON.stringify(path)} must be absolute and below /`)
    }
  }
}

const invalid = (instance: string, why: string): BerthError =>
  new BerthError('instance.invalid-assignment', `prepare ${JSON.stringify(instance)}: ${why}`)
