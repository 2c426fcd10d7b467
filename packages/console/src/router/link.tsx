import type { AnchorHTMLAttributes, MouseEvent } from 'react'
import { navigate, usePathname } from './location.ts'

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { readonly to: string }

/** An ordinary link: opened in a new tab, copied and read out like any other. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event)
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(to)
  }
  return <a {...rest} href={to} onClick={follow} />
}

interface NavLinkProps extends LinkProps {
  readonly exact?: boolean
  /** Beginnings of other addresses that count as below it. */
  readonly also?: readonly string[]
}

/** A link that says when it leads to where we are, or above it. */
export function NavLink({ to, exact = false, also = [], ...rest }: NavLinkProps) {
  const pathname = usePathname()
  const below = [`${to}/`, ...also].some((start) => pathname.startsWith(start))
  const here = pathname === to || (!exact && below)
  return <Link to={to} {...rest} {...(here ? { 'aria-current': 'page' } : {})} />
}
