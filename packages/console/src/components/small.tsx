import { type ReactNode, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { Icon } from './icons.tsx'

/** An id or a hash, shortened for reading and copied whole. */
export function Code({
  children,
  copy,
  short,
}: {
  readonly children: string
  readonly copy?: boolean
  readonly short?: number
}) {
  const text = useText()
  const [copied, setCopied] = useState(false)
  const shown = short === undefined || children.length <= short ? children : children.slice(0, short)
  if (copy !== true) return <code title={shown === children ? undefined : children}>{shown}</code>
  const take = () => {
    void navigator.clipboard?.writeText(children).then(() => {
      setCopied(true)
      setTimeout(setCopied, 1_500, false)
    })
  }
  return (
    <button type="button" className="copy" onClick={take} title={text.common.copy}>
      <code>{shown}</code>
      <Icon name={copied ? 'check' : 'copy'} />
      <span className="visually-hidden">{copied ? text.common.copied : text.common.copy}</span>
    </button>
  )
}

export function ReleaseLink({ app, release }: { readonly app: string; readonly release: string | undefined }) {
  if (release === undefined) return <span className="muted">–</span>
  return (
    <Link to={path('apps', app, '-', 'releases', release)} className="release">
      {release}
    </Link>
  )
}

export const NodeLink = ({ node }: { readonly node: string | undefined }) =>
  node === undefined ? <span className="muted">–</span> : <Link to={path('nodes', node)}>{node}</Link>

export function UrlLink({ url }: { readonly url: string }) {
  // A port, for which a browser has no use.
  if (!/^https?:/.test(url))
    return (
      <code className="url" title={url}>
        {url}
      </code>
    )
  return (
    <a href={url} target="_blank" rel="noreferrer" className="url" title={url}>
      <span>{url.replace(/^https?:\/\//, '').replace(/\/$/, '')}</span>
      <Icon name="external" />
    </a>
  )
}

/** Who did it; `token:` in front of a token's name says nothing to people. */
export function By({ who }: { readonly who: string }) {
  const text = useText()
  return (
    <span className="muted" title={who}>
      {text.common.by(personOf(who))}
    </span>
  )
}

export const personOf = (actor: string): string =>
  actor.startsWith('system:') ? 'Berth' : actor === 'local:0' ? 'root' : actor.replace(/^token:/, '')

export function Field({
  label,
  hint,
  children,
}: {
  readonly label: string
  readonly hint?: string
  readonly children: ReactNode
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label className="field">
      <span className="field-label">{label}</span>
      {children}
      {hint !== undefined && <span className="field-hint">{hint}</span>}
    </label>
  )
}

interface CheckProps {
  readonly label: string
  readonly hint?: string
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
}

export function Check({ label, hint, checked, onChange }: CheckProps) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span>
        {label}
        {hint !== undefined && <span className="field-hint">{hint}</span>}
      </span>
    </label>
  )
}

export function Filter({
  value,
  onChange,
  label,
}: {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly label: string
}) {
  return (
    <span className="filter">
      <Icon name="search" />
      <input
        type="search"
        value={value}
        aria-label={label}
        placeholder={label}
        onChange={(event) => onChange(event.target.value)}
      />
    </span>
  )
}

/** The last lines of what failed. */
export function LogTail({ lines }: { readonly lines: readonly string[] }) {
  return <pre className="log-tail">{lines.join('\n')}</pre>
}
