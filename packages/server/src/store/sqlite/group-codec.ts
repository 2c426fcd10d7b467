/**
 * A group of commits and its answer, as they travel between the threads. Objects are copied field by field there, with the names of all
 * fields each time; texts and numbers in two arrays travel as they are. What is common goes that way, the rest as the objects it is.
 */
import type { Change, Operation, Transaction, WatchBatch } from '../store.ts'
import type { CommitAnswer, CommitEntry, CommitOutcome, PackedAnswer, PackedGroup } from './protocol.ts'

const unpacked = -1
const codes = { refused: 0, done: 1, doneWithBatch: 2, failed: 3 } as const

export function packGroup(entries: readonly CommitEntry[], previous: boolean): PackedGroup {
  const texts: string[] = []
  const numbers: number[] = []
  const others: CommitEntry[] = []
  for (const entry of entries) {
    if (entry.type === 'transaction' && isCommon(entry.transaction)) packTransaction(entry.transaction, texts, numbers)
    else {
      numbers.push(unpacked)
      others.push(entry)
    }
  }
  return { texts, numbers: Float64Array.from(numbers), others, previous }
}

export function unpackGroup({ texts, numbers, others }: PackedGroup): CommitEntry[] {
  const entries: CommitEntry[] = []
  let [text, number, other] = [0, 0, 0]
  const nextText = (): string => texts[text++] ?? ''
  while (number < numbers.length) {
    const compares = numbers[number++] ?? 0
    if (compares === unpacked) {
      entries.push(others[other++] as CommitEntry)
      continue
    }
    const compare = Array.from({ length: compares }, () => ({ key: nextText(), modRevision: numbers[number++] ?? 0 }))
    const operations = Array.from({ length: numbers[number++] ?? 0 }, (): Operation => {
      const isPut = numbers[number++] === 1
      const key = nextText()
      return isPut ? { type: 'put', key, value: nextText() } : { type: 'delete', key }
    })
    entries.push({ type: 'transaction', transaction: { compare, operations } })
  }
  return entries
}

/** `previous`: watchers are told what was replaced, which only this thread knows. */
export function packAnswer(entries: readonly CommitEntry[], answer: CommitAnswer, previous: boolean): PackedAnswer {
  const numbers: number[] = []
  const batches: WatchBatch[] = []
  const errors: PackedAnswer['errors'][number][] = []
  let next = 0
  for (const [index, outcome] of answer.outcomes.entries()) {
    if ('error' in outcome) {
      numbers.push(codes.failed, 0)
      errors.push(outcome.error)
      continue
    }
    if (!outcome.ok) {
      numbers.push(codes.refused, outcome.revision)
      continue
    }
    const batch = answer.batches[next]?.revision === outcome.revision ? answer.batches[next++] : undefined
    const entry = entries[index]
    const isPlain = !previous && entry?.type === 'transaction' && isCommon(entry.transaction)
    numbers.push(isPlain ? codes.done : codes.doneWithBatch, outcome.revision)
    if (isPlain) packMarks(entry.transaction.operations, batch?.changes ?? [], numbers)
    else {
      numbers.push(batch === undefined ? 0 : 1)
      if (batch !== undefined) batches.push(batch)
    }
  }
  return { numbers: Float64Array.from(numbers), batches, errors, revision: answer.revision }
}

export function unpackAnswer(entries: readonly CommitEntry[], packed: PackedAnswer): CommitAnswer {
  const { numbers, revision } = packed
  const outcomes: CommitOutcome[] = []
  const batches: WatchBatch[] = []
  let [at, nextBatch, nextError] = [0, 0, 0]
  for (const entry of entries) {
    const code = numbers[at++]
    const own = numbers[at++] ?? 0
    if (code === codes.failed) {
      const error = packed.errors[nextError++]
      if (error !== undefined) outcomes.push({ error })
      continue
    }
    outcomes.push({ ok: code !== codes.refused, revision: own })
    if (code === codes.doneWithBatch) {
      const batch = numbers[at++] === 1 ? packed.batches[nextBatch++] : undefined
      if (batch !== undefined) batches.push(batch)
    } else if (code === codes.done && entry.type === 'transaction') {
      const { operations } = entry.transaction
      const changes = operations.flatMap((operation, index) => changeOf(operation, own, numbers, at + 2 * index))
      at += 2 * operations.length
      if (changes.length > 0) batches.push({ revision: own, changes })
    }
  }
  return { outcomes, batches, revision }
}

const isCommon = ({ compare = [], operations }: Transaction): boolean =>
  compare.every((each) => 'modRevision' in each) &&
  operations.every((each) => each.type === 'delete' || (each.type === 'put' && each.lease === undefined))

function packTransaction({ compare = [], operations }: Transaction, texts: string[], numbers: number[]): void {
  numbers.push(compare.length)
  for (const each of compare) {
    texts.push(each.key)
    numbers.push('modRevision' in each ? each.modRevision : 0)
  }
  numbers.push(operations.length)
  for (const operation of operations) {
    const isPut = operation.type === 'put'
    numbers.push(isPut ? 1 : 0)
    texts.push(operation.type === 'delete-prefix' ? operation.prefix : operation.key)
    if (isPut) texts.push(operation.value)
  }
}

/** Two numbers an operation: when its key was created and its version; zeros for a deletion of what was not there. */
function packMarks(operations: readonly Operation[], changes: readonly Change[], numbers: number[]): void {
  let next = 0
  for (const operation of operations) {
    const change = changes[next]
    const key = operation.type === 'delete-prefix' ? operation.prefix : operation.key
    const isIts = change !== undefined && (change.type === 'put' ? change.kv.key : change.key) === key
    if (isIts) next += 1
    if (!isIts) numbers.push(0, 0)
    else if (change.type === 'put') numbers.push(change.kv.createRevision, change.kv.version)
    else numbers.push(1, 0)
  }
}

function changeOf(operation: Operation, modRevision: number, numbers: Float64Array, at: number): Change[] {
  const createRevision = numbers[at] ?? 0
  if (createRevision === 0 || operation.type === 'delete-prefix') return []
  const { key } = operation
  if (operation.type === 'delete') return [{ type: 'delete', key, modRevision }]
  return [
    { type: 'put', kv: { key, value: operation.value, createRevision, modRevision, version: numbers[at + 1] ?? 0 } },
  ]
}
