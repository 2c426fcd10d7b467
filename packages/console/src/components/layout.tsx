import { type ReactNode, useEffect, useLayoutEffect, useRef } from 'react'
import { Link, NavLink } from '../router/link.tsx'
import { usePathname } from '../router/location.ts'
import { Icon, type IconName } from './icons.tsx'

export interface Crumb {
  readonly label: string
  readonly to: string
}

interface PageProps {
  readonly title: string
  readonly crumbs?: readonly Crumb[]
  readonly status?: ReactNode
  readonly about?: ReactNode
  readonly actions?: ReactNode
  readonly tabs?: readonly TabLink[]
  readonly children: ReactNode
}

export interface TabLink {
  readonly label: string
  readonly to: string
  readonly exact?: boolean
  readonly count?: number
}

/** The frame of every page: where it is, what it is, how that is, what can be done. */
export function Page({ title, crumbs = [], status, about, actions, tabs, children }: PageProps) {
  useLayoutEffect(() => {
    document.title = `${title} · Berth`
  }, [title])
  return (
    <div className="page">
      <header className="page-head">
        {crumbs.length > 0 && (
          <nav className="crumbs" aria-label="breadcrumb">
            {crumbs.map((crumb, index) => (
              <span key={crumb.to}>
                {index > 0 && <Icon name="chevron" />}
                <Link to={crumb.to}>{crumb.label}</Link>
              </span>
            ))}
          </nav>
        )}
        <div className="page-title">
          <h1>{title}</h1>
          {status}
          {actions !== undefined && actions !== false && <div className="page-actions">{actions}</div>}
        </div>
        {about !== undefined && <div className="page-about">{about}</div>}
        {tabs !== undefined && <Tabs tabs={tabs} label={title} />}
      </header>
      {children}
    </div>
  )
}

function Tabs({ tabs, label }: { readonly tabs: readonly TabLink[]; readonly label: string }) {
  const bar = useRef<HTMLElement>(null)
  const pathname = usePathname()
  // biome-ignore lint/correctness/useExhaustiveDependencies: another address is another tab
  useEffect(() => {
    bar.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [pathname])
  return (
    <nav className="tabs" aria-label={label} ref={bar}>
      {tabs.map((tab) => (
        <NavLink key={tab.to} to={tab.to} exact={tab.exact ?? false} className="tab">
          {tab.label}
          {tab.count !== undefined && <span className="tab-count">{tab.count}</span>}
        </NavLink>
      ))}
    </nav>
  )
}

interface SectionProps {
  readonly title?: string
  readonly aside?: ReactNode
  readonly flush?: boolean
  readonly children: ReactNode
}

export function Section({ title, aside, flush = false, children }: SectionProps) {
  return (
    <section className="section">
      {(title !== undefined || (aside !== undefined && aside !== false)) && (
        <div className="section-head">
          {title !== undefined && <h2>{title}</h2>}
          {aside !== undefined && aside !== false && <div className="section-aside">{aside}</div>}
        </div>
      )}
      <div className={flush ? 'panel panel-flush' : 'panel'}>{children}</div>
    </section>
  )
}

interface EmptyProps {
  readonly icon: IconName
  readonly title: string
  readonly hint?: ReactNode
  readonly children?: ReactNode
}

export function Empty({ icon, title, hint, children }: EmptyProps) {
  return (
    <div className="empty">
      <span className="empty-icon">
        <Icon name={icon} />
      </span>
      <p className="empty-title">{title}</p>
      {hint !== undefined && <p className="empty-hint">{hint}</p>}
      {children}
    </div>
  )
}

export function Banner({
  tone,
  title,
  lines,
  children,
}: {
  readonly tone: 'warn' | 'bad' | 'info'
  readonly title: string
  readonly lines?: readonly string[]
  readonly children?: ReactNode
}) {
  return (
    <div className={`banner banner-${tone}`} role="note">
      <Icon name="warn" />
      <div className="banner-text">
        <strong>{title}</strong>
        {lines?.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
      {children !== undefined && <div className="banner-actions">{children}</div>}
    </div>
  )
}

/** Why a form was refused; read out when it appears. */
export function Problem({ text }: { readonly text: string | undefined }) {
  if (text === undefined) return null
  return (
    <div role="alert">
      <Banner tone="bad" title={text} />
    </div>
  )
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== false && value !== '')
        .map(([name, value]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
