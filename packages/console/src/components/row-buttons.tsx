import type { ComponentProps, ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { RoleButton } from './button.tsx'

export interface RowButtonsProps {
  readonly needs: ComponentProps<typeof RoleButton>['needs']
  /** Of what the row is about. */
  readonly name: string
  /** Absent: it cannot be changed. */
  readonly change?: { readonly word: string; readonly begin: () => void }
  readonly ask: { readonly title: string; readonly body: ReactNode }
  readonly remove: () => Promise<unknown>
  /** Said once it is removed. */
  readonly done: string
}

/** What is asked and said of a removal, in the words of those who list such things. */
export const removalOf = (
  words: {
    readonly removeTitle: (name: string) => string
    readonly removeText: string
    readonly removed: (name: string) => string
  },
  name: string,
): Pick<RowButtonsProps, 'ask' | 'done'> => ({
  ask: { title: words.removeTitle(name), body: <p>{words.removeText}</p> },
  done: words.removed(name),
})

/** At the end of a row: to change it, and to remove it once somebody has said yes. */
export function RowButtons({ needs, name, change, ask, remove, done }: RowButtonsProps) {
  const { action } = useText()
  const { busy, act } = useAction()
  return (
    <span className="row-actions">
      {change !== undefined && (
        <RoleButton needs={needs} small onClick={change.begin} aria-label={`${change.word} ${name}`}>
          {change.word}
        </RoleButton>
      )}
      <RoleButton
        needs={needs}
        small
        kind="danger"
        disabled={busy}
        onClick={() => void act({ ask: { ...ask, verb: action.remove, danger: true }, run: remove, done })}
        aria-label={`${action.remove} ${name}`}
      >
        {action.remove}
      </RoleButton>
    </span>
  )
}
