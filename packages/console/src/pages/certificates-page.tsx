import type { CertificateView, RouteView } from '@berth/api/traffic-resources'
import { useState } from 'react'
import { CertificateDialog } from '../actions/certificate-dialog.tsx'
import { Age, Until, useNow } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Banner, Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { RowButtons } from '../components/row-buttons.tsx'
import { By } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { formatDate } from '../format/times.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { expiryOf, expiryTone, hostsOnlyBy, uncoveredHosts } from '../live/certificates.ts'
import { useGlance } from '../live/use-glance.ts'
import { useClient, useList } from '../store/context.tsx'
import { AcmeSection } from './acme-section.tsx'

interface Editing {
  readonly name?: string
  readonly host?: string
}

export default function CertificatesPage() {
  const { certificates: text } = useText()
  const certificates = useList('listCertificates', {})
  const routes = useGlance('listRoutes', {})
  const [editing, setEditing] = useState<Editing>()
  const add = (
    <RoleButton needs="deployer" kind="primary" icon="plus" onClick={() => setEditing({})}>
      {text.add}
    </RoleButton>
  )
  const uncovered = certificates.state === 'live' ? uncoveredHosts(routes, certificates.items) : []
  return (
    <Page title={text.title} about={text.about} actions={certificates.items.length > 0 && add}>
      {uncovered.length > 0 && (
        <Banner tone="warn" title={text.uncovered} lines={[uncovered.join(', ')]}>
          <RoleButton needs="deployer" small onClick={() => setEditing({ host: uncovered[0] ?? '' })}>
            {text.addFor(uncovered[0] ?? '')}
          </RoleButton>
        </Banner>
      )}
      <Section flush>
        <Listing
          of={certificates}
          empty={
            <Empty icon="certificate" title={text.empty} hint={text.emptyHint}>
              {add}
            </Empty>
          }
        >
          {(items) => <CertificateTable certificates={items} routes={routes} onEdit={setEditing} />}
        </Listing>
      </Section>
      <AcmeSection />
      {editing !== undefined && <CertificateDialog {...editing} onClose={() => setEditing(undefined)} />}
    </Page>
  )
}

interface CertificateTableProps {
  readonly certificates: readonly CertificateView[]
  readonly routes: readonly RouteView[]
  readonly onEdit: (editing: Editing) => void
}

function CertificateTable({ certificates, routes, onEdit }: CertificateTableProps) {
  const { certificates: text } = useText()
  const columns: readonly Column<CertificateView>[] = [
    { key: 'name', title: text.name, lead: true, cell: ({ name }) => <code>{name}</code> },
    {
      key: 'hosts',
      title: text.hosts,
      cell: ({ hosts, superseded = [] }) => (
        <span className="chips">
          {hosts.map((host) => {
            const by = superseded.find((each) => each.host === host)?.by
            return (
              <span key={host} className="chip mono">
                {host}
                {by !== undefined && ` (${text.shownInstead(by)})`}
              </span>
            )
          })}
        </span>
      ),
    },
    { key: 'until', title: text.until, cell: (certificate) => <Expiry at={certificate.notAfter} /> },
    {
      key: 'given',
      title: text.given,
      cell: ({ updatedAt, updatedBy }) => (
        <span className="nowrap">
          <Age at={updatedAt} /> <By who={updatedBy} />
        </span>
      ),
    },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: (certificate) => (
        <CertificateButtons
          certificate={certificate}
          onlyBy={hostsOnlyBy(certificate, certificates, routes)}
          onReplace={() => onEdit({ name: certificate.name })}
        />
      ),
    },
  ]
  return (
    <Table
      label={text.title}
      columns={columns}
      rows={certificates.toSorted((a, b) => a.notAfter - b.notAfter)}
      rowKey={({ name }) => name}
    />
  )
}

function Expiry({ at }: { readonly at: number }) {
  const { language, text } = useLanguage()
  const expiry = expiryOf(at, useNow(60_000))
  return (
    <span className={`status status-${expiryTone[expiry]}`}>
      <Mark tone={expiryTone[expiry]} />
      <span>
        {expiry === 'expired' ? `${text.certificates.expired} ` : ''}
        <Until at={at} />
      </span>
      <span className="muted">{formatDate(at, language)}</span>
    </span>
  )
}

interface CertificateButtonsProps {
  readonly certificate: CertificateView
  readonly onlyBy: readonly string[]
  readonly onReplace: () => void
}

function CertificateButtons({ certificate: { name, hosts }, onlyBy, onReplace }: CertificateButtonsProps) {
  const { certificates: text } = useText()
  const client = useClient()
  const body = (
    <>
      <p>{text.removeText(hosts.join(', '))}</p>
      {onlyBy.length > 0 && <Banner tone="warn" title={text.removeUncovers} lines={[onlyBy.join(', ')]} />}
    </>
  )
  return (
    <RowButtons
      needs="deployer"
      name={name}
      change={{ word: text.replace, begin: onReplace }}
      ask={{ title: text.removeTitle(name), body }}
      remove={() => client.call('removeCertificate', { params: { name } })}
      done={text.removed(name)}
    />
  )
}
