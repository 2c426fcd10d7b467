import { type ReactNode, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { WordField } from './form-dialog.tsx'
import { Check } from './small.tsx'

interface SecretOptions {
  readonly label: string
  readonly hint?: string
  /** Of what is changed: whether it has one. */
  readonly has: boolean | undefined
  /** It goes where it went before. It is kept for one address, so that no other ever gets it. */
  readonly isSamePlace: boolean
}

interface SecretForm {
  /** Of the document that is sent: absent leaves the one that there is, empty takes it away. */
  readonly part: { readonly secret?: string }
  readonly field: ReactNode
  /** To take it away. */
  readonly awayCheck: ReactNode
}

/** The part of a form that sets a secret. One that is set is never shown; what is typed here lives as long as the form. */
export function useSecret({ label, hint, has = false, isSamePlace }: SecretOptions): SecretForm {
  const { subscriptions: text } = useText()
  const [secret, setSecret] = useState('')
  const [away, setAway] = useState(false)
  const isKept = has && isSamePlace
  const told = isKept ? text.secretKept : has ? text.secretGone : hint
  return {
    part: isKept && secret === '' && !away ? {} : { secret: away ? '' : secret },
    field: !away && (
      <WordField
        label={label}
        hint={told}
        type="password"
        autoComplete="new-password"
        value={secret}
        onChange={setSecret}
      />
    ),
    awayCheck: isKept && (
      <Check
        label={text.secretAway}
        checked={away}
        onChange={(next) => {
          setAway(next)
          setSecret('')
        }}
      />
    ),
  }
}
