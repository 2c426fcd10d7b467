import { useEffect, useState } from 'react'
import { Icon, type IconName } from '../components/icons.tsx'
import type { Dictionary } from '../i18n/dictionary.ts'
import { useText } from '../i18n/language.tsx'
import type { Session } from '../live/session.tsx'
import { NavLink } from '../router/link.tsx'
import { usePathname } from '../router/location.ts'

type PageName =
  | 'apps'
  | 'activity'
  | 'schedules'
  | 'nodes'
  | 'groups'
  | 'advice'
  | 'network'
  | 'routes'
  | 'certificates'
  | 'events'
  | 'tokens'
  | 'settings'

interface Place {
  readonly page: PageName
  readonly icon: IconName
  /** In the bar of narrow screens; the others are behind its last button. */
  readonly first?: true
  readonly needs?: 'admin'
  /** Other addresses that belong to it. */
  readonly also?: readonly string[]
}

interface Group {
  readonly title?: keyof Dictionary['shell']['sections']
  readonly places: readonly Place[]
}

/** What a page is about decides its group; more pages of a kind join theirs. */
export const groups: readonly Group[] = [
  {
    places: [
      { page: 'apps', icon: 'apps', first: true, also: ['/instances/'] },
      { page: 'activity', icon: 'activity', first: true, also: ['/rollouts/', '/builds/'] },
      { page: 'schedules', icon: 'calendar' },
    ],
  },
  {
    title: 'cluster',
    places: [
      { page: 'nodes', icon: 'nodes', first: true },
      { page: 'groups', icon: 'groups' },
      { page: 'advice', icon: 'settings' },
    ],
  },
  {
    title: 'traffic',
    places: [
      { page: 'network', icon: 'network' },
      { page: 'routes', icon: 'routes', first: true },
      { page: 'certificates', icon: 'certificate' },
    ],
  },
  {
    title: 'audit',
    places: [
      { page: 'events', icon: 'events' },
      { page: 'tokens', icon: 'key', needs: 'admin' },
      { page: 'settings', icon: 'system' },
    ],
  },
]

/** The pages that somebody may see, in the order of the menu. */
export const pagesFor = (role: Session['role'] | undefined): readonly PageName[] =>
  groups.flatMap(({ places }) => places.filter((place) => mayOpen(place, role)).map(({ page }) => page))

const mayOpen = ({ needs }: Place, role: Session['role'] | undefined): boolean => needs === undefined || needs === role

export function Navigation({ role }: { readonly role: Session['role'] | undefined }) {
  const text = useText()
  const pathname = usePathname()
  const [open, setOpen] = useState(false)
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever has gone somewhere is done with the menu
  useEffect(() => setOpen(false), [pathname])
  const behind = groups.some(({ places }) =>
    places.some(({ page, first }) => first !== true && pathname.startsWith(`/${page}`)),
  )
  return (
    <nav className={open ? 'navigation navigation-open' : 'navigation'} aria-label={text.shell.menu}>
      {groups.map(({ title, places }) => (
        <div
          key={title ?? ''}
          className="navigation-group"
          {...(title === undefined ? {} : { role: 'group', 'aria-label': text.shell.sections[title] })}
        >
          {title !== undefined && (
            <p className="navigation-title" aria-hidden="true">
              {text.shell.sections[title]}
            </p>
          )}
          {places
            .filter((place) => mayOpen(place, role))
            .map(({ page, icon, first, also }) => (
              <NavLink
                key={page}
                to={`/${page}`}
                {...(also === undefined ? {} : { also })}
                className={first === true ? 'navigation-first' : 'navigation-more'}
              >
                <Icon name={icon} />
                <span>{text.shell[page]}</span>
              </NavLink>
            ))}
        </div>
      ))}
      <button
        type="button"
        className="navigation-button"
        aria-expanded={open}
        {...(behind ? { 'aria-current': 'page' as const } : {})}
        onClick={() => setOpen(!open)}
      >
        <Icon name="more" />
        <span>{text.shell.more}</span>
      </button>
    </nav>
  )
}
