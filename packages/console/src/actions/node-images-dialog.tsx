import type { NodeView } from '@berth/api/node-resources'
import { imageRules } from '@berth/core/model/image-limits'
import { useState } from 'react'
import { FormDialog } from '../components/form-dialog.tsx'
import { ImageFields } from '../groups/image-fields.tsx'
import { imageChangeOf, imageFormOf } from '../groups/image-form.ts'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

/** How many images a node takes and gives at once, where that is otherwise than in its group. */
export function NodeImagesDialog({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }) {
  const { placing: text, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState(() => imageFormOf(node.images))
  const { name } = node
  const { takes, gives } = imageRules(undefined, node.imageRules)
  const save = () =>
    submit({
      run: async () => client.call('updateNode', { params: { name }, body: { images: imageChangeOf(form) } }),
      done: text.imagesSaved(name),
      after: onClose,
    })
  return (
    <FormDialog
      wide
      title={text.imagesTitle(name)}
      verb={text.save}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <p className="muted">{text.imagesHint}</p>
      <ImageFields form={form} otherwise={{ takes, gives, rate: groups.noLimit }} onChange={setForm} />
    </FormDialog>
  )
}
