import { messageOf } from '@berth/core/model/berth-error'
import { Component, type ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from './button.tsx'
import { Empty } from './layout.tsx'

interface Props {
  readonly children: ReactNode
}

/** Keeps one broken view from taking the whole console along. */
export class ErrorBoundary extends Component<Props, { readonly error: unknown }> {
  override state: { readonly error: unknown } = { error: undefined }

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render() {
    if (this.state.error === undefined) return this.props.children
    return <Broken message={messageOf(this.state.error)} />
  }
}

function Broken({ message }: { readonly message: string }) {
  const text = useText()
  return (
    <Empty icon="warn" title={text.shell.broken} hint={message}>
      <Button kind="primary" onClick={() => location.reload()}>
        {text.shell.reload}
      </Button>
    </Empty>
  )
}
