import type { History, ReadOperation, Violation, WriteOperation } from './history.ts'
import { RegisterLog, told } from './register-log.ts'

/** No acknowledged write is lost or undone, none that was refused is there, and nobody reads what is older than their own writes. */
export function* checkOperations({ changes, operations }: History): Generator<Violation> {
  const log = new RegisterLog(changes)
  yield* undone(log)
  const acknowledged = new Map<string, number>()
  for (const operation of operations) {
    if (operation.type === 'read') yield* checkRead(operation, log, acknowledged.get(operation.register))
    else {
      yield* checkWrite(operation, log)
      if (operation.outcome === 'acknowledged') acknowledged.set(operation.register, operation.value)
    }
  }
}

function* undone(log: RegisterLog): Generator<Violation> {
  for (const register of log.registers) {
    let before: number | undefined
    for (const { value, revision } of log.of(register)) {
      if (before !== undefined && (value === undefined || value < before))
        yield {
          rule: 'undone-write',
          message: `${register} went back from ${before} to ${told(value)} at revision ${revision}`,
        }
      before = value
    }
  }
}

function* checkWrite({ client, register, value, outcome }: WriteOperation, log: RegisterLog): Generator<Violation> {
  const isThere = log.has(register, value)
  if (outcome === 'acknowledged' && !isThere)
    yield {
      rule: 'lost-write',
      message: `${client} was told that ${register} = ${value} is written; the store never had it`,
    }
  if (outcome === 'refused' && isThere)
    yield { rule: 'ghost-write', message: `${client} was told that ${register} = ${value} is not written; it was` }
}

function* checkRead(
  { client, server, register, value }: ReadOperation,
  log: RegisterLog,
  own: number | undefined,
): Generator<Violation> {
  const what = `${client} read ${register} = ${told(value)} from ${server}`
  if (own !== undefined && (value === undefined || value < own))
    yield { rule: 'stale-read', message: `${what} after its own write of ${own} was acknowledged` }
  if (value !== undefined && !log.has(register, value))
    yield { rule: 'invented-read', message: `${what}; the store never had it` }
}
