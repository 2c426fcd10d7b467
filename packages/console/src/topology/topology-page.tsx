import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Check, Filter } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useRouteTabs } from '../pages/route-tabs.ts'
import { useQueryValue } from '../router/location.ts'
import { TopologyMap } from './topology-map.tsx'
import { type Band, chosenBands } from './topology-model.ts'
import { TopologyTable } from './topology-table.tsx'
import { useBands } from './use-bands.ts'
import '../styles/topology.css'

/** What comes in by which address, where it goes, and how much of it. */
export default function TopologyPage() {
  const { topology: text, routes: words } = useText()
  const [filter, setFilter] = useQueryValue('filter')
  const [app, setApp] = useQueryValue('app')
  const [order, setOrder] = useQueryValue('order')
  const [form, setForm] = useQueryValue('show')
  const [open, setOpen] = useQueryValue('open')
  const [problems, setProblems] = useState(false)
  const { routes, bands } = useBands(app, open)
  const apps = [...new Set(routes.items.map((each) => each.app))].filter((each) => each !== '').toSorted()
  const chosen = chosenBands(bands, { text: filter, app, problems, busiest: order === 'busiest' })
  return (
    <Page title={text.title} about={text.about} tabs={useRouteTabs()}>
      <div className="list-bar">
        <Filter value={filter} onChange={setFilter} label={text.filter} />
        <select aria-label={text.app} value={app} onChange={(event) => setApp(event.target.value)}>
          <option value="">{text.allApps}</option>
          {apps.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
        <select aria-label={text.order} value={order} onChange={(event) => setOrder(event.target.value)}>
          <option value="">{text.byName}</option>
          <option value="busiest">{text.busiest}</option>
        </select>
        <fieldset className="choices" aria-label={text.show}>
          {(['map', 'table'] as const).map((each) => (
            <button
              key={each}
              type="button"
              className="choice-button"
              aria-pressed={(form === 'table') === (each === 'table')}
              onClick={() => setForm(each === 'map' ? '' : each)}
            >
              {text[each]}
            </button>
          ))}
        </fieldset>
        <Check label={text.problems} checked={problems} onChange={setProblems} />
      </div>
      <Listing
        of={routes}
        empty={
          <div className="panel">
            <Empty icon="routes" title={words.empty} hint={words.emptyHint} />
          </div>
        }
      >
        {() => (
          <>
            <Totals bands={chosen} all={bands.length} />
            {chosen.length === 0 ? (
              <div className="panel">
                <Empty icon="routes" title={text.noMatch} />
              </div>
            ) : form === 'table' ? (
              <Section flush>
                <TopologyTable bands={chosen} />
              </Section>
            ) : (
              <Sliced bands={chosen} open={open} onOpen={setOpen} />
            )}
          </>
        )}
      </Listing>
    </Page>
  )
}

/** What is drawn at first: some screens of it. */
const sliceBands = 40

interface SlicedProps {
  readonly bands: readonly Band[]
  readonly open: string
  readonly onOpen: (key: string) => void
}

function Sliced({ bands, open, onOpen }: SlicedProps) {
  const { slice } = useText()
  const [most, setMost] = useState(sliceBands)
  return (
    <section className="panel panel-flush">
      <TopologyMap bands={bands.slice(0, most)} open={open} onOpen={onOpen} />
      {bands.length > most && (
        <p className="table-more">
          <span className="muted">{slice.shown(most, bands.length)}</span>
          <Button small onClick={() => setMost(most + sliceBands)}>
            {slice.more}
          </Button>
        </p>
      )}
    </section>
  )
}

function Totals({ bands, all }: { readonly bands: readonly Band[]; readonly all: number }) {
  const { topology: text } = useText()
  const sum = (of: (band: Band) => number): number => bands.reduce((total, each) => total + of(each), 0)
  const routes = sum((each) => each.routes.length)
  const instances = sum((each) => each.instances.length)
  const perSecond = sum((each) => each.perSecond)
  const failed = sum((each) => each.failedPerSecond)
  return (
    <p className="muted small" role="status">
      {text.totals(routes, bands.length, instances)}
      {bands.length < all && ` ${text.ofAll(all)}`} {text.rates(rounded(perSecond), rounded(failed))}
    </p>
  )
}

const rounded = (value: number): number => Math.round(value * 10) / 10
