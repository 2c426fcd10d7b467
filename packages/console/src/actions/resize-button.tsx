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
  readonly small?: boolean
}

/** Changes CPU and memory of what runs, in place where its node has room. */
export function ResizeButton({ target, sizes, written, small = false }: ResizeButtonProps) {
  const { resize: text } = useText()
  const [open, setOpen] = useState(false)
  return (
    <>
      <RoleButton
        needs="deployer"
        small={small}
        onClick={() => setOpen(true)}
        aria-label={'name' in target ? text.button : `${text.button} ${target.entrypoint}`}
      >
        {text.button}
      </RoleButton>
      {open && (
        <Suspense fallback={null}>
          <ResizeDialog target={target} sizes={sizes} written={written} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  )
}
