import type { ButtonHTMLAttributes } from 'react'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { Icon, type IconName } from './icons.tsx'

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  readonly kind?: 'primary' | 'plain' | 'danger' | 'quiet'
  readonly icon?: IconName
  readonly small?: boolean
}

export function Button({ kind = 'plain', icon, small = false, children, className = '', ...rest }: ButtonProps) {
  return (
    <button type="button" className={`button button-${kind} ${small ? 'button-small' : ''} ${className}`} {...rest}>
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** A button for what not everybody may do: out of reach it says which role it needs. */
export function RoleButton({ needs, ...rest }: ButtonProps & { readonly needs: 'deployer' | 'admin' }) {
  const text = useText()
  const may = useMay(needs)
  if (may) return <Button {...rest} />
  return <Button {...rest} disabled title={text.action.needsRole(needs)} />
}

/** Only an icon to see; its name is read out and shown as a tooltip. */
export function IconButton({
  icon,
  label,
  ...rest
}: ButtonProps & { readonly icon: IconName; readonly label: string }) {
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  )
}
