import type { NodeView } from '@berth/api/node-resources'
import { useText } from '../i18n/language.tsx'
import { useClient } from '../store/context.tsx'
import { PairsDialog } from './pairs-dialog.tsx'

interface NodeDialogProps {
  readonly node: NodeView
  readonly onClose: () => void
}

export function LabelsDialog({ node, onClose }: NodeDialogProps) {
  const { labels: text } = useText()
  const client = useClient()
  const { name } = node
  return (
    <PairsDialog
      title={text.title(name)}
      hint={text.hint}
      words={text}
      removeWord={text.remove}
      before={node.labels}
      save={(labels) => client.call('updateNode', { params: { name }, body: { labels: { ...labels } } })}
      done={text.saved(name)}
      onClose={onClose}
    />
  )
}

export function TaintsDialog({ node, onClose }: NodeDialogProps) {
  const { taints: text } = useText()
  const client = useClient()
  const { name, taints = [] } = node
  return (
    <PairsDialog
      title={text.title(name)}
      hint={text.hint}
      words={text}
      removeWord={text.remove}
      before={Object.fromEntries(taints.map(({ key, value = '' }) => [key, value]))}
      save={(changes) => client.call('updateNode', { params: { name }, body: { taints: { ...changes } } })}
      done={text.saved(name)}
      onClose={onClose}
    />
  )
}

export function ResourcesDialog({ node, onClose }: NodeDialogProps) {
  const { resources: text } = useText()
  const client = useClient()
  const { name, resources = {} } = node
  const save = (changes: Readonly<Record<string, string | null>>) =>
    client.call('updateNode', {
      params: { name },
      body: { resources: Object.fromEntries(Object.entries(changes).map(([key, value]) => [key, resourceOf(value)])) },
    })
  return (
    <PairsDialog
      title={text.title(name)}
      hint={text.hint}
      words={text}
      removeWord={text.remove}
      before={Object.fromEntries(Object.entries(resources).map(([key, value]) => [key, resourceText(value)]))}
      save={save}
      done={text.saved(name)}
      onClose={onClose}
    />
  )
}

type Resource = number | string[]

export const resourceText = (value: number | readonly string[]): string =>
  typeof value === 'number' ? String(value) : value.join(', ')

/** `4` is a number of something, `a, b` names of which there is one each. */
export function resourceOf(text: string | null): Resource | null {
  if (text === null) return null
  if (/^\d+$/.test(text)) return Number(text)
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}
