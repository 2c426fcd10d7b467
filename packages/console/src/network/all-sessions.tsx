import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Banner, Problem, Section } from '../components/layout.tsx'
import { Check, NodeLink } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { formatDuration } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { Asked, Silent } from './asked.tsx'
import { type SessionEnd, type SessionPair, sessionPairs } from './session-pairs.ts'

const everyMs = 8_000

/** All sessions of BGP, those that are down first; nodes are asked while somebody looks. */
export function AllSessions({ filter }: { readonly filter: string }) {
  const { network } = useText()
  const { routes: text } = network
  const [asked, setAsked] = useState(0)
  const [onlyDown, setOnlyDown] = useState(false)
  const { value, error, at } = usePolled('getRoutingSessions', {}, everyMs, asked)
  const pairs = sessionPairs(value?.nodes ?? [])
  const up = pairs.filter((pair) => pair.up).length
  const idle = (value?.nodes ?? []).filter(({ running }) => !running).map(({ node }) => node)
  const columns: readonly Column<SessionPair>[] = [
    { key: 'between', title: text.between, lead: true, cell: (pair) => <Between pair={pair} /> },
    { key: 'state', title: text.state, cell: (pair) => <State pair={pair} /> },
    {
      key: 'learned',
      title: text.learned,
      cell: ({ ends }) => (
        <span className="nowrap">{ends.map(({ node, learned }) => `${node} ${learned}`).join(' · ')}</span>
      ),
    },
    { key: 'why', title: text.why, wide: true, cell: ({ ends }) => <Why ends={ends} /> },
  ]
  return (
    <Section
      title={value === undefined ? text.allSessions : `${text.allSessions}: ${text.upOf(up, pairs.length)}`}
      flush
      aside={up < pairs.length && <Check label={text.onlyDown} checked={onlyDown} onChange={setOnlyDown} />}
    >
      {value === undefined && (error === undefined ? <Skeleton rows={3} /> : <Problem text={messageOf(error)} />)}
      <Silent silent={value?.silent ?? []} />
      {idle.length > 0 && <Banner tone="bad" title={text.notRunningOn} lines={[idle.join(', ')]} />}
      {value !== undefined && (
        <Table
          label={text.allSessions}
          columns={columns}
          rows={pairs.filter(
            (pair) => !(onlyDown && pair.up) && (filter === '' || pair.between.some((each) => each.includes(filter))),
          )}
          rowKey={({ key }) => key}
          tone={(pair) => (pair.up ? undefined : 'bad')}
        />
      )}
      <div className="quiet-line">
        <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
      </div>
    </Section>
  )
}

function Between({ pair: { between, isRouter } }: { readonly pair: SessionPair }) {
  const { network } = useText()
  return (
    <span>
      <NodeLink node={between[0]} /> –{' '}
      {isRouter ? `${network.routes.router} ${between[1]}` : <NodeLink node={between[1]} />}
    </span>
  )
}

function State({ pair: { up, ends } }: { readonly pair: SessionPair }) {
  const { network } = useText()
  const { routes: text } = network
  // Of a session that is down: since the first of both noticed.
  const since = Math.min(...ends.filter((end) => end.up === up).map((end) => end.since))
  return (
    <span className={`status tone-${up ? 'ok' : 'bad'}`}>
      <Mark tone={up ? 'ok' : 'bad'} />
      {up ? text.up : text.down} {formatDuration(Date.now() - since)}
    </span>
  )
}

function Why({ ends }: { readonly ends: readonly SessionEnd[] }) {
  const told = ends.filter((end) => !end.up)
  if (told.length === 0) return <span className="muted">–</span>
  return (
    <>
      {told.map(({ node, why = '?' }) => (
        <span key={node} className="block">
          <span className="muted">{node}:</span> {why}
        </span>
      ))}
    </>
  )
}
