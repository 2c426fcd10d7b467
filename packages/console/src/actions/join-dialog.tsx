import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Code } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient } from '../store/context.tsx'

export function JoinDialog({ onClose }: { readonly onClose: () => void }) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const [command, setCommand] = useState<string>()
  const make = async () => {
    const answer = await act({ run: () => client.call('createJoinToken'), done: text.join.command })
    if (answer !== undefined) setCommand(answer.command)
  }
  return (
    <Dialog title={text.join.title} onClose={onClose} wide>
      <p>{text.join.intro}</p>
      {command === undefined ? (
        <Button kind="primary" disabled={busy} onClick={() => void make()}>
          {text.join.make}
        </Button>
      ) : (
        <div className="command">
          <Code copy>{command}</Code>
        </div>
      )}
    </Dialog>
  )
}
