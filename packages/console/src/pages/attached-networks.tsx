import type { InstanceView } from '@berth/api/instance-resources'
import { useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Code } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useAction } from '../live/use-action.ts'
import { useOne } from '../live/use-one.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

interface OfInstance {
  readonly instance: InstanceView
}

/** What has its own network beside the cluster's is in others as its node is, or not at all. */
const isPossible = ({ phase, node, network }: InstanceView): boolean =>
  phase !== 'ended' && node !== undefined && network === undefined

/** Whether there is anything to say: a viewer is not told of a button that is not there. */
export function useAttachedNetworks(instance: InstanceView): boolean {
  const may = useMay('deployer')
  return (instance.networks ?? []).length > 0 || (may && isPossible(instance))
}

/** Other Docker networks of its node that it is in, with its address there. */
export function AttachedNetworks({ instance }: OfInstance) {
  const { attach: text } = useText()
  const [attaching, setAttaching] = useState(false)
  const { networks = [] } = instance
  return (
    <>
      {networks.length > 0 && (
        <ul className="published">
          {networks.map(({ name, address }) => (
            <li key={name}>
              <span>
                {name}{' '}
                {address === undefined ? <span className="muted">{text.noAddress}</span> : <Code copy>{address}</Code>}
              </span>
              {isPossible(instance) && <DetachButton instance={instance} name={name} />}
            </li>
          ))}
        </ul>
      )}
      {isPossible(instance) && (
        <RoleButton needs="deployer" small onClick={() => setAttaching(true)}>
          {text.attach}
        </RoleButton>
      )}
      {attaching && <AttachDialog instance={instance} onClose={() => setAttaching(false)} />}
    </>
  )
}

function DetachButton({ instance: { id, name: called }, name }: OfInstance & { readonly name: string }) {
  const { attach: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const detach = () =>
    act({
      ask: { title: text.detachTitle(called, name), body: <p>{text.detachText}</p>, verb: text.detach },
      run: () => client.call('detachNetwork', { params: { id, network: name } }),
      done: text.detached(called, name),
    })
  return (
    <RoleButton
      needs="deployer"
      small
      disabled={busy}
      onClick={() => void detach()}
      aria-label={`${text.detach} ${name}`}
    >
      {text.detach}
    </RoleButton>
  )
}

function AttachDialog({ instance, onClose }: OfInstance & { readonly onClose: () => void }) {
  const { attach: text } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [typed, setTyped] = useState({ name: '', address: '' })
  const { id, node = '' } = instance
  // What the node has is offered; another may have been made a moment ago.
  const { value } = useOne('getNode', { params: { name: node } })
  const isIn = new Set(instance.networks?.map(({ name }) => name))
  const [name, address] = [typed.name.trim(), typed.address.trim()]
  const save = () =>
    submit({
      run: () => client.call('attachNetwork', { params: { id }, body: address === '' ? { name } : { name, address } }),
      done: text.attached(instance.name, name),
      after: onClose,
    })
  return (
    <FormDialog
      title={text.title(instance.name)}
      verb={text.attach}
      ready={name !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <p className="muted">{text.about(node)}</p>
      <WordField
        label={text.network}
        list="networks-of-node"
        value={typed.name}
        onChange={(each) => setTyped({ ...typed, name: each })}
      />
      <datalist id="networks-of-node">
        {value?.dockerNetworks
          ?.filter((each) => !isIn.has(each))
          .map((each) => (
            <option key={each} value={each} />
          ))}
      </datalist>
      <WordField
        label={text.address}
        hint={text.addressHint}
        value={typed.address}
        onChange={(each) => setTyped({ ...typed, address: each })}
      />
    </FormDialog>
  )
}
