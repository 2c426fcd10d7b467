import type { SizesView } from '@berth/api/sizing-resources'
import { lazy, Suspense, useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { useText } from '../i18n/language.tsx'
import type { ResizeTarget } from './resize-dialog.tsx'

const ResizeDialog = lazy(() => import('./resize-dialog.tsx'))

interface ResizeButtonProps {
  readonly target: ResizeTarget
  readonly sizes: SizesView
  readonly written?: SizesView | undefined
  /** What is advised: the dialog begins with what that does. */
  readonly proposed?: SizesView | undefined
  readonly label?: string
  readonly small?: boolean
}

/** Changes CPU and memory of what runs, in place where its node has room. */
export function ResizeButton(props: ResizeButtonProps) {
  const { target, sizes, written, proposed, label, small = false } = props
  const { resize: text } = useText()
  const word = label ?? text.button
  const [open, setOpen] = useState(false)
  return (
    <>
      <RoleButton
        needs="deployer"
        small={small}
        onClick={() => setOpen(true)}
        aria-label={'name' in target ? word : `${word} ${target.entrypoint}`}
      >
        {word}
      </RoleButton>
      {open && (
        <Suspense fallback={null}>
          <ResizeDialog
            target={target}
            sizes={sizes}
            written={written}
            proposed={proposed}
            onClose={() => setOpen(false)}
          />
        </Suspense>
      )}
    </>
  )
}
