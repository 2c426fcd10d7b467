import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'

/** Cores of one node by their numbers: those owned whole, ascending, and at most one of which a fragment is owned. */
export interface CoreSet {
  readonly whole: readonly number[]
  /** -1: no fragment. */
  readonly fragmentCore: number
  readonly fragmentMilli: number
}

/** A core number beyond this is a mistake of whoever wrote it, not a machine. */
export const maxCoreNumber = 8191

export const noCores: CoreSet = { whole: [], fragmentCore: -1, fragmentMilli: 0 }

/** `2-3,7:300`: cores 2 and 3, and 300 thousandths of core 7. */
export function formatCores(cores: CoreSet): string {
  const whole = formatCoreList(cores.whole)
  if (cores.fragmentMilli === 0) return whole
  const fragment = `${cores.fragmentCore}:${cores.fragmentMilli}`
  return whole === '' ? fragment : `${whole},${fragment}`
}

/** `0-3,7`, as the kernel's cpuset takes it. */
export function formatCoreList(numbers: readonly number[]): string {
  let text = ''
  for (let i = 0; i < numbers.length; ) {
    const first = numbers[i]!
    let last = first
    for (i++; i < numbers.length && numbers[i] === last + 1; i++) last++
    text += `${text === '' ? '' : ','}${first === last ? first : `${first}-${last}`}`
  }
  return text
}

/** The inverse of {@link formatCores}; order does not matter, but nothing may be named twice. */
export function parseCores(text: string): Parsed<CoreSet> {
  const whole: number[] = []
  let fragmentCore = -1
  let fragmentMilli = 0
  for (const part of text === '' ? [] : text.split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4})|:(\d{1,3}))?$/.exec(part.trim())
    if (match === null)
      return refused(`"${text}": "${part}" is neither a core (7), nor a range (2-3), nor a fragment (7:300)`)
    const first = Number(match[1])
    const last = Number(match[2] ?? first)
    if (last < first || last > maxCoreNumber) return refused(`"${text}": ${part} is no range of cores`)
    if (match[3] === undefined) {
      for (let core = first; core <= last; core++) whole.push(core)
      continue
    }
    if (fragmentCore !== -1) return refused(`"${text}": there is more than one fragment`)
    fragmentCore = first
    fragmentMilli = Number(match[3])
    if (fragmentMilli === 0) return refused(`"${text}": the fragment of core ${first} is empty`)
  }
  whole.sort((a, b) => a - b)
  const twice = whole.find((core, i) => core === whole[i - 1] || core === fragmentCore)
  if (twice !== undefined) return refused(`"${text}": core ${twice} is named twice`)
  return parsed({ whole, fragmentCore, fragmentMilli })
}

/** A list of cores without fragments, `0-11,24-35`. */
export function parseCoreList(text: string): Parsed<readonly number[]> {
  const cores = parseCores(text)
  if (!cores.ok) return cores
  if (cores.value.fragmentCore !== -1) return refused(`"${text}": a list of cores has no fragments`)
  return parsed(cores.value.whole)
}
