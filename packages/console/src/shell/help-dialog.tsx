import { useState } from 'react'
import { Dialog } from '../components/dialog.tsx'
import { useText } from '../i18n/language.tsx'
import { keysOfPage } from './use-shortcuts.ts'

export function HelpDialog({ onClose }: { readonly onClose: () => void }) {
  const { help } = useText()
  const [here] = useState(keysOfPage)
  const rows: readonly (readonly [readonly string[], string])[] = [
    [['/'], help.search],
    [['?'], help.help],
    [['Esc'], help.escape],
    [['g', 'a'], help.goApps],
    [['g', 't'], help.goActivity],
    [['g', 's'], help.goSchedules],
    [['g', 'n'], help.goNodes],
    [['g', 'g'], help.goGroups],
    [['g', 'i'], help.goAdvice],
    [['g', 'w'], help.goNetwork],
    [['g', 'r'], help.goRoutes],
    [['g', 'p'], help.goTopology],
    [['g', 'c'], help.goCertificates],
    [['g', 'e'], help.goEvents],
    [['g', 'k'], help.goTokens],
    [['g', 'o'], help.goSettings],
    [['d'], help.deploy],
    [['t'], help.theme],
    [['Ctrl+Shift+Esc'], help.leaveTerminal],
  ]
  return (
    <Dialog title={help.title} onClose={onClose}>
      {here.length > 0 && (
        <>
          <h3>{help.here}</h3>
          <dl className="shortcuts shortcuts-here">
            {here.map(({ key, does }) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
      <dl className="shortcuts">
        {rows.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key, index) => (
                <span key={key}>
                  {index > 0 && <span className="muted"> {help.andThen} </span>}
                  <kbd>{key}</kbd>
                </span>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
