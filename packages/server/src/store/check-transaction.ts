import { maxBytes, maxOperations, type Operation, type Transaction } from './store.ts'
import { storeError } from './store-error.ts'

/** Refuses what no adapter may accept, with the same error on each. */
export function checkTransaction(transaction: Transaction): void {
  const compares = transaction.compare ?? []
  const count = Math.max(compares.length, transaction.operations.length)
  if (count > maxOperations)
    throw storeError(
      'store.too-large',
      `commit of ${compares.length} compares and ${transaction.operations.length} operations: at most ${maxOperations} of each fit in a transaction; split it`,
      { details: { count, maxOperations } },
    )
  let bytes = 0
  for (const compare of compares) bytes += sizeOf(compare.key, 'value' in compare ? compare.value : '')
  for (const operation of transaction.operations) bytes += sizeOf(targetOf(operation), textOf(operation))
  if (bytes > maxBytes)
    throw storeError(
      'store.too-large',
      `commit of ${bytes} bytes that begins with ${firstKey(transaction)}: at most ${maxBytes} bytes fit in a transaction; split it`,
      { details: { bytes, maxBytes } },
    )
  checkWrittenOnce(transaction.operations)
}

export function checkKey(key: string, what = 'key'): void {
  if (key === '') throw storeError('store.invalid', `the ${what} is empty: name what is meant`)
  checkText(key, what)
}

/** Unlike a key, a prefix to read may be empty: everything. */
export function checkText(text: string, what: string): void {
  if (text.includes('\0') || !text.isWellFormed())
    throw storeError('store.invalid', `the ${what} ${JSON.stringify(text.slice(0, 80))} is not plain Unicode text`)
}

export function checkPositive(what: string, number: number | undefined): void {
  if (number === undefined || (Number.isSafeInteger(number) && number > 0)) return
  throw storeError('store.invalid', `the ${what} ${number} is not a whole number above 0`)
}

const maxTtlMs = 31_536_000_000

export function checkLeaseTime(ttlMs: number): void {
  checkPositive('time of a lease', ttlMs)
  if (ttlMs > maxTtlMs) throw storeError('store.invalid', `grant a lease of ${ttlMs} ms: at most ${maxTtlMs} ms`)
}

const targetOf = (operation: Operation): string =>
  operation.type === 'delete-prefix' ? operation.prefix : operation.key

const textOf = (operation: Operation): string => (operation.type === 'put' ? operation.value : '')

const firstKey = ({ compare, operations }: Transaction): string =>
  compare?.[0]?.key ?? (operations[0] ? targetOf(operations[0]) : '(nothing)')

function sizeOf(key: string, value: string): number {
  checkKey(key)
  checkText(value, 'value')
  return Buffer.byteLength(key) + Buffer.byteLength(value)
}

/**
 * A key has one state per revision, so a transaction may put it once and not delete it too (etcd refuses the same).
 * Deleting twice is harmless.
 */
function checkWrittenOnce(operations: readonly Operation[]): void {
  const put = new Set<string>()
  for (const operation of operations) {
    if (operation.type !== 'put') continue
    if (put.has(operation.key)) throw writtenTwice(operation.key)
    put.add(operation.key)
  }
  for (const operation of operations) {
    if (operation.type === 'delete' && put.has(operation.key)) throw writtenTwice(operation.key)
    if (operation.type === 'delete-prefix')
      for (const key of put) if (key.startsWith(operation.prefix)) throw writtenTwice(key)
  }
}

const writtenTwice = (key: string) =>
  storeError('store.invalid', `commit: the transaction writes ${key} twice; a key has one state per revision`, {
    details: { key },
  })
