import type { MaintenanceView, RouteView } from '@berth/api/traffic-resources'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { FormDialog } from '../components/form-dialog.tsx'
import { Page } from '../components/layout.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { By, Check, Field } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient, useList } from '../store/context.tsx'
import { useRouteTabs } from './route-tabs.ts'

/** Hosts, and what of them is switched off for a while. */
interface Host {
  readonly name: string
  readonly routes: number
  readonly said?: MaintenanceView | undefined
}

const everyMs = 10_000

export default function MaintenancePage() {
  const { maintenance: text, routeTabs } = useText()
  const routes = useList('listRoutes', {})
  const [changes, setChanges] = useState(0)
  const { value } = usePolled('getMaintenance', {}, everyMs, changes)
  const columns: readonly Column<Host>[] = [
    { key: 'host', title: text.host, lead: true, cell: ({ name }) => <code>{name}</code> },
    {
      key: 'state',
      title: text.state,
      cell: ({ said }) => (
        <span className={`status tone-${said?.on ? 'warn' : 'ok'}`}>
          <Mark tone={said?.on ? 'warn' : 'ok'} />
          {said?.on ? text.on : text.off}
        </span>
      ),
    },
    { key: 'routes', title: text.routes, align: 'right', cell: (host) => host.routes },
    { key: 'page', title: text.page, cell: ({ said }) => (said?.page === undefined ? text.usual : text.own) },
    {
      key: 'age',
      title: text.changed,
      cell: ({ said }) =>
        said === undefined ? (
          '–'
        ) : (
          <span className="nowrap">
            <Age at={said.updatedAt} /> <By who={said.updatedBy} />
          </span>
        ),
    },
  ]
  return (
    <Page title={routeTabs.maintenance} about={text.about} tabs={useRouteTabs()}>
      <NamedRows
        of={{ ...routes, items: hostsOf(routes.items, value?.items ?? []) }}
        icon="routes"
        label={routeTabs.maintenance}
        words={text}
        columns={columns}
        actions={({ name }, edit) => (
          <RoleButton needs="deployer" small onClick={edit} aria-label={`${text.change} ${name}`}>
            {text.change}
          </RoleButton>
        )}
        textsOf={({ name }) => [name]}
        dialog={(host, onClose) =>
          host && <MaintenanceDialog host={host} onSaved={() => setChanges(changes + 1)} onClose={onClose} />
        }
      />
    </Page>
  )
}

function hostsOf(routes: readonly RouteView[], said: readonly MaintenanceView[]): Host[] {
  // Ports of the gateways have no host.
  const counts = Map.groupBy(
    routes.filter(({ host }) => host !== ''),
    ({ host }) => host,
  )
  const words = new Map(said.map((each) => [each.host, each]))
  return [...new Set([...counts.keys(), ...words.keys()])].map((name) => {
    return { name, routes: counts.get(name)?.length ?? 0, said: words.get(name) }
  })
}

interface MaintenanceDialogProps {
  readonly host: Host
  readonly onSaved: () => void
  readonly onClose: () => void
}

function MaintenanceDialog({ host: { name, said }, onSaved, onClose }: MaintenanceDialogProps) {
  const { maintenance: text } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [on, setOn] = useState(said?.on ?? false)
  const [page, setPage] = useState(said?.page ?? '')
  const save = () =>
    submit({
      run: () =>
        client.call('setMaintenance', { params: { host: name }, body: { on, page: page.trim() === '' ? null : page } }),
      done: on ? text.nowOn(name) : text.nowOff(name),
      after: () => {
        onSaved()
        onClose()
      },
    })
  return (
    <FormDialog title={text.title(name)} verb={text.save} busy={busy} problem={problem} onSave={save} onClose={onClose}>
      <Check label={text.isOn} hint={text.isOnHint} checked={on} onChange={setOn} />
      <Field label={text.text} hint={text.textHint}>
        <textarea
          className="mono"
          rows={6}
          spellCheck={false}
          value={page}
          onChange={(event) => setPage(event.target.value)}
        />
      </Field>
    </FormDialog>
  )
}
