import type { Column } from './columns.ts'
import type { RecordRows } from './record-rows.ts'

type Fields = Record<string, unknown>

/** What many records have in common: all of a record but its id and what is in columns. */
interface Common {
  /** Has every field of its records, so that all are made with the same shape. */
  readonly fields: Fields
  /** Those that are in columns. */
  readonly own: readonly string[]
}

export interface PackedRowsOptions {
  /** Fields that differ from record to record. A value that its column does not take is kept as it is. */
  readonly columns: Readonly<Record<string, Column>>
  /** Ids of which the records are likely to have the rest in common. */
  readonly kindOf: (id: string) => string
}

/** Of one kind, those that have been seen last. */
const commonsKept = 4
/** Old kinds are not kept for ever. */
const mostKinds = 50_000

/**
 * Records that are much alike, a million of them: what is each one's own is in columns, outside the heap, and what many say alike is there
 * once. A record is made anew whenever somebody reads it: it is nobody's to keep, and costs nothing while nobody does.
 */
export class PackedRows<T extends { readonly id: string }> implements RecordRows<T> {
  readonly #columns: Readonly<Record<string, Column>>
  readonly #kindOf: (id: string) => string
  readonly #commons: (Common | undefined)[] = []
  readonly #kinds = new Map<string, Common[]>()

  constructor({ columns, kindOf }: PackedRowsOptions) {
    this.#columns = columns
    this.#kindOf = kindOf
  }

  get(row: number, id: string): T {
    const common = this.#commons[row] as Common
    const record = { ...common.fields }
    record.id = id
    for (const name of common.own) record[name] = this.#columns[name]?.get(row)
    return record as unknown as T
  }

  field<K extends keyof T>(row: number, name: K): T[K] {
    const { fields, own } = this.#commons[row] as Common
    const key = name as string
    return (own.includes(key) ? this.#columns[key]?.get(row) : fields[key]) as T[K]
  }

  put(row: number, id: string, record: T): void {
    const fields = record as unknown as Fields
    const common = this.#commonOf(id, fields)
    this.#commons[row] = common
    for (const name of common.own) this.#columns[name]?.put(row, fields[name])
  }

  drop(row: number): void {
    this.#commons[row] = undefined
  }

  #commonOf(id: string, fields: Fields): Common {
    const kind = this.#kindOf(id)
    const known = this.#kinds.get(kind)
    const found = known?.find((each) => this.#isLike(each, fields))
    if (found !== undefined) return found
    const made = this.#newCommon(fields)
    if (known !== undefined) {
      known.unshift(made)
      known.length = Math.min(known.length, commonsKept)
      return made
    }
    if (this.#kinds.size >= mostKinds) this.#kinds.clear()
    this.#kinds.set(kind, [made])
    return made
  }

  #newCommon(fields: Fields): Common {
    const own = Object.keys(fields).filter((name) => this.#columns[name]?.takes(fields[name]) === true)
    const common: Fields = { ...fields, id: '' }
    for (const name of own) common[name] = undefined
    return { fields: common, own }
  }

  #isLike({ fields: common, own }: Common, fields: Fields): boolean {
    let count = 0
    for (const name in fields) {
      count += 1
      if (name === 'id') continue
      if (!(name in common)) return false
      const isOwn = own.includes(name)
      if (isOwn ? this.#columns[name]?.takes(fields[name]) !== true : !isSame(common[name], fields[name])) return false
    }
    return count === Object.keys(common).length
  }
}

/** Of what JSON can say. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const [left, right] = [Object.entries(a), b as Fields]
  if (Array.isArray(a) !== Array.isArray(b) || left.length !== Object.keys(right).length) return false
  return left.every(([name, value]) => name in right && isSame(value, right[name]))
}
