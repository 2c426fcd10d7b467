import type { InstanceView } from '@berth/api/instance-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { parsePublished } from '@berth/core/network/instance-ports'
import { useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useAction } from '../live/use-action.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

type Published = NonNullable<InstanceView['published']>[number]

/** In its node's network, or one of the machines' own, no port of the node could lead to it. */
const canPublish = (network: InstanceView['network']): boolean =>
  network !== 'host' && network?.startsWith('lan:') !== true

const portWord = ({ hostAddress, hostPort, port, protocol }: Published): string =>
  `${hostAddress === undefined ? '' : `${hostAddress}:`}${hostPort} → ${port}${protocol === 'udp' ? '/udp' : ''}`

/** Ports of its node that lead to it, for as long as it lives. */
export function PublishedPorts({ instance }: { readonly instance: InstanceView }) {
  const { publish: text } = useText()
  const [publishing, setPublishing] = useState(false)
  const { published = [], network, phase, node } = instance
  const isPossible = phase !== 'ended' && node !== undefined && canPublish(network)
  if (!isPossible && published.length === 0) return <span className="muted">–</span>
  return (
    <>
      {published.length > 0 && (
        <ul className="published">
          {published.map((each) => (
            <li key={`${each.hostPort}/${each.protocol}`}>
              <code>{portWord(each)}</code>
              {isPossible && <WithdrawButton instance={instance} published={each} />}
            </li>
          ))}
        </ul>
      )}
      {isPossible && (
        <RoleButton needs="deployer" small onClick={() => setPublishing(true)}>
          {text.publish}
        </RoleButton>
      )}
      {publishing && <PublishDialog instance={instance} onClose={() => setPublishing(false)} />}
    </>
  )
}

/** Whether there is anything to say: a viewer is not told of a button that is not there. */
export function usePublishedPorts(instance: InstanceView): boolean {
  const may = useMay('deployer')
  return (instance.published ?? []).length > 0 || (may && instance.phase !== 'ended' && canPublish(instance.network))
}

function WithdrawButton({
  instance: { id, node = '' },
  published,
}: {
  readonly instance: InstanceView
  readonly published: Published
}) {
  const { publish: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const { hostPort, protocol } = published
  const word = `${hostPort}/${protocol}`
  const withdraw = () =>
    act({
      ask: {
        title: text.withdrawTitle(word, node),
        body: <p>{text.withdrawText}</p>,
        verb: text.withdraw,
      },
      run: () => client.call('unpublishPort', { params: { id, hostPort }, query: { protocol } }),
      done: text.withdrawn(word, node),
    })
  return (
    <RoleButton
      needs="deployer"
      small
      disabled={busy}
      onClick={() => void withdraw()}
      aria-label={`${text.withdraw} ${word}`}
    >
      {text.withdraw}
    </RoleButton>
  )
}

function PublishDialog({ instance, onClose }: { readonly instance: InstanceView; readonly onClose: () => void }) {
  const { publish: text } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [typed, setTyped] = useState('')
  const { id, node = '' } = instance
  const save = () =>
    submit({
      run: async () => {
        const read = parsePublished(typed.trim())
        if (!read.ok)
          throw new BerthError(
            'usage.port',
            [read.message, read.suggestion].filter((part) => part !== undefined).join('; '),
          )
        return client.call('publishPort', { params: { id }, body: read.value })
      },
      done: text.published(typed.trim(), node),
      after: onClose,
    })
  return (
    <FormDialog
      title={text.title(instance.name)}
      verb={text.publish}
      ready={typed.trim() !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <p className="muted">{text.about(node)}</p>
      <WordField label={text.port} hint={text.portHint} value={typed} onChange={setTyped} />
    </FormDialog>
  )
}
