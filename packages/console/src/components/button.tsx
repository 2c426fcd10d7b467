import type { ButtonHTMLAttributes } from 'react'
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

/** A button for what not everybody may do: who may not is not offered it. */
export function RoleButton({ needs, ...rest }: ButtonProps & { readonly needs: 'deployer' | 'admin' }) {
  return useMay(needs) ? <Button {...rest} /> : null
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
