import { BerthError } from '@berth/core'
import type { Style } from './style.ts'
import { formatTable } from './table.ts'

export type OutputForm = 'table' | 'wide' | 'json' | 'yaml' | 'name' | { readonly template: string }

/** What a listing needs to be shown in every form. */
export interface ListingView<T> {
  readonly headers: readonly string[]
  row(item: T): readonly string[]
  /** Appended to headers and rows by `-o wide`. */
  readonly wideHeaders?: readonly string[]
  wideRow?(item: T): readonly string[]
  name(item: T): string
  readonly empty: string
}

export function parseOutputForm(text: string | undefined): OutputForm {
  if (text === undefined || text === 'table') return 'table'
  if (text === 'wide' || text === 'json' || text === 'yaml' || text === 'name') return text
  if (text.startsWith('template=')) return { template: text.slice('template='.length) }
  throw new BerthError('usage.output', `-o ${text}: use table, wide, json, yaml, name or template='{name} {ready}'`)
}

/** `yaml` is loaded only when asked for: it would cost every command its start. */
export type YamlWriter = () => Promise<(value: unknown) => string>

export async function printListing<T>(
  items: readonly T[],
  view: ListingView<T>,
  form: OutputForm,
  out: Output,
): Promise<void> {
  if (form === 'json') return out.line(JSON.stringify(items, null, 2))
  if (form === 'yaml') return out.text((await out.yaml())(items))
  if (form === 'name') return printLines(items.map(view.name), out)
  if (typeof form === 'object') {
    sayUnknownFields(form.template, items, out)
    return printLines(
      items.map((item) => fillTemplate(form.template, item)),
      out,
    )
  }
  if (items.length === 0) return out.note(view.empty)
  const wide = form === 'wide'
  const headers = wide ? [...view.headers, ...(view.wideHeaders ?? [])] : view.headers
  const rows = items.map((item) => (wide ? [...view.row(item), ...(view.wideRow?.(item) ?? [])] : view.row(item)))
  out.line(formatTable(headers, rows))
}

function printLines(lines: readonly string[], out: Output): void {
  for (const line of lines) out.line(line)
}

export async function printItem<T>(item: T, form: OutputForm, out: Output, asText: (item: T) => string): Promise<void> {
  if (form === 'json') out.line(JSON.stringify(item, null, 2))
  else if (form === 'yaml') out.text((await out.yaml())(item))
  else if (typeof form === 'object') {
    sayUnknownFields(form.template, [item], out)
    out.line(fillTemplate(form.template, item))
  } else out.line(asText(item))
}

/** Fields may be absent, so one that no item has is no failure; mistyped ones should be seen all the same. */
function sayUnknownFields(template: string, items: readonly unknown[], out: Output): void {
  const known = new Set(items.flatMap((item) => Object.keys(item as object)))
  if (items.length === 0) return
  const used = [...template.matchAll(/\{(\w+)[\w.]*\}/g)].map(([, name = '']) => name)
  const unknown = [...new Set(used)].filter((name) => !known.has(name))
  if (unknown.length > 0)
    out.note(`no item has {${unknown.join('}, {')}}; there are: ${[...known].join(', ')} (and more by -o json)`)
}

/** `{name} {lastExit.code}`: values by path; what is missing is empty. */
export function fillTemplate(template: string, item: unknown): string {
  return template
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replace(/\{([\w.]+)\}/g, (_, path: string) => {
      const value = path
        .split('.')
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], item)
      return value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
    })
}

/** Where a command writes: data to standard output, everything said about it to standard error. */
export interface Output {
  readonly style: Style
  readonly isTerminal: boolean
  readonly columns: number
  line(text: string): void
  text(text: string): void
  /** For people only: hints, progress, empty listings. */
  note(text: string): void
  readonly yaml: YamlWriter
}

export function createOutput(style: Style): Output {
  return {
    style,
    isTerminal: process.stdout.isTTY === true,
    columns: process.stdout.columns ?? 80,
    line: (text) => void process.stdout.write(`${text}\n`),
    text: (text) => void process.stdout.write(text),
    note: (text) => void process.stderr.write(`${text}\n`),
    yaml: async () => (await import('yaml')).stringify,
  }
}
