/**
 * The foreign images that a user's Dockerfile is made from (`FROM`, `COPY --from=`), so that a new one of them is a new input. Stages
 * and `scratch` are not foreign. A reference whose variables have no value is left out: the build itself will complain about it.
 */
export function foreignImages(dockerfile: string, args: Readonly<Record<string, string>>): string[] {
  const stages = new Set<string>()
  const images = new Set<string>()
  const values = new Map<string, string>()
  let stageCount = 0
  const add = (reference: string | undefined): void => {
    if (reference === undefined || reference === 'scratch' || stages.has(reference.toLowerCase())) return
    if (!/^\d+$/.test(reference)) images.add(reference)
  }
  for (const { name, rest } of instructions(dockerfile)) {
    if (name === 'ARG' && stageCount === 0) readArg(rest, args, values)
    if (name === 'FROM') {
      const [reference, as, stage] = rest.split(/\s+/).filter((word) => !word.startsWith('--'))
      add(expand(reference ?? '', values))
      stageCount += 1
      if (as?.toLowerCase() === 'as' && stage !== undefined) stages.add(stage.toLowerCase())
    }
    if (name === 'COPY') add(/(?:^|\s)--from=(\S+)/.exec(rest)?.[1])
  }
  return [...images]
}

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** Logical lines: comments dropped, continued lines joined by the escape character that the file declares. */
function instructions(dockerfile: string): Instruction[] {
  const escapeCharacter = /^#\s*escape\s*=\s*`/im.test(dockerfile.split(/\r?\n(?!\s*#)/, 1)[0] ?? '') ? '`' : '\\'
  const result: Instruction[] = []
  let line = ''
  for (const raw of dockerfile.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(raw)) continue
    const text = raw.trimEnd()
    if (text.endsWith(escapeCharacter)) {
      line += `${text.slice(0, -1)} `
      continue
    }
    const match = /^\s*(\w+)\s+(.*?)\s*$/.exec(line + text)
    if (match !== null) result.push({ name: (match[1] ?? '').toUpperCase(), rest: match[2] ?? '' })
    line = ''
  }
  return result
}

/** `ARG NAME=default`: what the build gives wins. */
function readArg(rest: string, args: Readonly<Record<string, string>>, values: Map<string, string>): void {
  for (const word of rest.split(/\s+/)) {
    const [name = '', ...value] = word.split('=')
    const given = args[name] ?? (value.length === 0 ? undefined : value.join('=').replace(/^(["'])(.*)\1$/, '$2'))
    if (given !== undefined) values.set(name, given)
  }
}

/** `$NAME`, `${NAME}` and `${NAME:-default}`; undefined when a variable has no value. */
function expand(text: string, values: ReadonlyMap<string, string>): string | undefined {
  let complete = true
  const expanded = text.replace(/\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))/g, (_, braced, fallback, plain) => {
    const value = values.get(braced ?? plain) ?? fallback
    if (value === undefined) complete = false
    return value ?? ''
  })
  return complete && expanded !== '' && !expanded.includes('$') ? expanded : undefined
}
