import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { FileField } from '../components/file-field.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

interface CertificateDialogProps {
  /** Of the certificate to replace. */
  readonly name?: string | undefined
  /** A host that needs one. */
  readonly host?: string | undefined
  readonly onClose: () => void
}

export function CertificateDialog({ name: given, host, onClose }: CertificateDialogProps) {
  const { certificates: text, common } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [name, setName] = useState(given ?? nameFor(host))
  const [certificatePem, setCertificate] = useState('')
  const [keyPem, setKey] = useState('')
  const set = () =>
    submit({
      run: () => client.call('setCertificate', { params: { name }, body: { certificatePem, keyPem } }),
      done: text.set(name),
      after: onClose,
    })
  return (
    <Dialog
      wide
      title={given === undefined ? text.add : text.replaceTitle(given)}
      onClose={onClose}
      onSubmit={set}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || name === '' || certificatePem === '' || keyPem === ''}>
            {text.submit}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      {given === undefined && (
        <Field label={text.name} hint={text.nameHint}>
          <input
            className="mono"
            required
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value.trim())}
          />
        </Field>
      )}
      <FileField
        label={text.certificate}
        hint={text.certificateHint}
        accept=".pem,.crt,.cer"
        value={certificatePem}
        onChange={setCertificate}
      />
      <FileField label={text.key} hint={text.keyHint} accept=".pem,.key" value={keyPem} onChange={setKey} />
    </Dialog>
  )
}

/** `*.shop.example.com` → `shop-example-com` */
const nameFor = (host = ''): string => host.replace(/^\*\./, '').replaceAll('.', '-')
