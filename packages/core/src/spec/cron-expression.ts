import { type Parsed, parsed, refused } from './spec-issue.ts'

/**
 * Cron expressions as `crontab` knows them: minute, hour, day of month, month, day of week. What other dialects add (seconds, `L`, `#`,
 * `?`) is refused, since a file must mean the same everywhere. When a run is due is the server's to compute; here is only what may be
 * written.
 */
interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly names?: readonly string[]
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const days = 'sun mon tue wed thu fri sat'.split(' ')
const fields: readonly [Field, Field, Field, Field, Field] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: months },
  { name: 'day of the week', min: 0, max: 7, names: days },
]

const macros: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

const longestMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** The five fields with one blank between them; `@daily` and the like written out. */
export function parseCron(text: string): Parsed<string> {
  const words = text
    .trim()
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  const [first = ''] = words
  if (first.startsWith('@')) return parseMacro(first, words.length)
  if (words.length !== fields.length) return refuseCount(text, words)
  const values: (ReadonlySet<number> | undefined)[] = []
  for (const [index, field] of fields.entries()) {
    const read = parseField(words[index]!, field)
    if (!read.ok) return read
    values.push(read.value)
  }
  return refuseNever(values) ?? parsed(words.join(' '))
}

function parseMacro(word: string, count: number): Parsed<string> {
  const macro = Object.hasOwn(macros, word) && count === 1 ? macros[word] : undefined
  return macro === undefined
    ? refused(`there is no schedule called ${JSON.stringify(word)}`, `write ${Object.keys(macros).join(', ')}`)
    : parsed(macro)
}

function refuseCount(text: string, words: readonly string[]): Parsed<never> {
  const message = `${JSON.stringify(text.slice(0, 60))} has ${words.length} ${words.length === 1 ? 'field' : 'fields'} instead of five`
  const seconds = words.length === 6 ? `leave out the seconds: ${words.slice(1).join(' ')}` : undefined
  return refused(message, seconds ?? 'write minute, hour, day of month, month and day of week: 0 3 * * *')
}

/** What it allows; undefined for everything (`*`). */
function parseField(word: string, field: Field): Parsed<ReadonlySet<number> | undefined> {
  const allowed = new Set<number>()
  for (const item of word.split(',')) {
    const range = parseItem(item, field)
    if (!range.ok) return range
    for (let at = range.value.from; at <= range.value.to; at += range.value.step) allowed.add(at)
  }
  return parsed(word === '*' ? undefined : allowed)
}

interface Range {
  readonly from: number
  readonly to: number
  readonly step: number
}

/** `*`, `5`, `1-5`, with `/2` for every second one. */
function parseItem(item: string, field: Field): Parsed<Range> {
  const [range = '', step, ...rest] = item.split('/')
  const [low = '', high, ...more] = range.split('-')
  if (rest.length > 0 || more.length > 0 || low === '') return refuseItem(item, field)
  const every = step === undefined ? 1 : /^[0-9]{1,4}$/.test(step) ? Number(step) : 0
  if (every === 0 || every > field.max)
    return refused(`${JSON.stringify(item)}: a step of a ${field.name} is a whole number from 1 to ${field.max}`)
  if (range === '*') return parsed({ from: field.min, to: field.max, step: every })
  const from = numberOf(low, field)
  const to = high === undefined ? from : numberOf(high, field)
  if (from === undefined || to === undefined) return refuseItem(item, field)
  if (step !== undefined && high === undefined)
    return refused(`${JSON.stringify(item)}: a step needs a range`, `write ${low}-${field.max}/${step} or */${step}`)
  if (from > to)
    return refused(
      `${JSON.stringify(item)}: a range goes upwards`,
      `write ${range.replace(/^(.*)-(.*)$/, `$1-${field.max},${field.min}-$2`)}`,
    )
  return parsed({ from, to, step: every })
}

function numberOf(word: string, { min, max, names }: Field): number | undefined {
  const named = names?.indexOf(word) ?? -1
  if (named >= 0) return named + min
  const value = /^[0-9]{1,2}$/.test(word) ? Number(word) : Number.NaN
  return value >= min && value <= max ? value : undefined
}

function refuseItem(item: string, { name, min, max, names }: Field): Parsed<never> {
  const named = names === undefined ? '' : `, or ${names[0]} to ${names.at(-1)}`
  const dialect = /^([lw?]|[0-9a-z]+[#lw][0-9]*)$/.test(item) ? '; only lists, ranges and steps are known here' : ''
  return refused(`${JSON.stringify(item)} is no ${name}: ${min} to ${max}${named}${dialect}`)
}

/** With a day of the week given as well either of the two will do, as in every cron; so only the day of the month alone can be never. */
function refuseNever(values: readonly (ReadonlySet<number> | undefined)[]): Parsed<never> | undefined {
  const [, , monthDays, monthsOf, weekDays] = values
  if (monthDays === undefined || monthsOf === undefined || weekDays !== undefined) return undefined
  const first = Math.min(...monthDays)
  if ([...monthsOf].some((month) => first <= longestMonth[month - 1]!)) return undefined
  return refused(`there is no day ${first} in the months ${[...monthsOf].join(', ')}: it would never run`)
}
