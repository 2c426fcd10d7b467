import { memo, type ReactNode, useDeferredValue, useLayoutEffect, useRef, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Empty } from '../components/layout.tsx'
import { Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { formatClock } from '../format/times.ts'
import { useText } from '../i18n/language.tsx'
import type { NumberedLine } from './line-buffer.ts'
import type { Lines } from './use-lines.ts'

interface OutputViewProps {
  readonly output: Lines
  /** Of the file that a download makes. */
  readonly name: string
  readonly withInstance?: boolean
  /** How far back it goes. */
  readonly from?: ReactNode
}

/** Lines of output as they come: stays at the end until somebody scrolls up, filters, and can be saved. */
export function OutputView({ output, name, withInstance = false, from }: OutputViewProps) {
  const text = useText()
  const [filter, setFilter] = useState('')
  const [wrap, setWrap] = useState(true)
  const [times, setTimes] = useState(true)
  const wanted = useDeferredValue(filter.toLowerCase())
  const lines = wanted === '' ? output.lines : output.lines.filter((each) => each.line.toLowerCase().includes(wanted))
  const { box, following, onScroll, toEnd } = useFollowing(lines)
  return (
    <div className="output">
      <div className="output-bar">
        <Filter value={filter} onChange={setFilter} label={text.logs.filter} />
        <OutputState output={output} shown={lines.length} />
        {from}
        <span className="output-options">
          <Toggle label={text.logs.times} on={times} onChange={setTimes} />
          <Toggle label={text.logs.wrap} on={wrap} onChange={setWrap} />
          <Button small onClick={output.clear}>
            {text.logs.clear}
          </Button>
          <Button small icon="down" onClick={() => save(name, lines)}>
            {text.logs.download}
          </Button>
        </span>
      </div>
      <div
        ref={box}
        className={wrap ? 'output-lines output-wrap' : 'output-lines'}
        role="log"
        aria-label={text.logs.label}
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keyboards must reach it
        tabIndex={0}
        onScroll={onScroll}
      >
        {output.state === 'loading' && output.lines.length === 0 && <Skeleton rows={6} />}
        {output.state !== 'loading' && lines.length === 0 && (
          <Empty
            icon="activity"
            title={wanted === '' ? text.logs.empty : text.logs.noMatch}
            hint={wanted === '' ? text.logs.emptyHint : undefined}
          />
        )}
        {lines.map((line) => (
          <Line key={line.number} line={line} times={times} withInstance={withInstance} />
        ))}
      </div>
      {!following && (
        <Button className="output-end" small icon="down" kind="primary" onClick={toEnd}>
          {text.logs.newLines}
        </Button>
      )}
    </div>
  )
}

const nearPixels = 24

function useFollowing(lines: readonly NumberedLine[]) {
  const box = useRef<HTMLDivElement>(null)
  const [following, setFollowing] = useState(true)
  const follow = useRef(true)
  // biome-ignore lint/correctness/useExhaustiveDependencies: every new line moves the end
  useLayoutEffect(() => {
    if (follow.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight
  }, [lines])
  const set = (next: boolean) => {
    follow.current = next
    setFollowing(next)
  }
  const onScroll = () => {
    const at = box.current
    if (at !== null) set(at.scrollHeight - at.scrollTop - at.clientHeight < nearPixels)
  }
  const toEnd = () => {
    set(true)
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight
  }
  return { box, following, onScroll, toEnd }
}

const Line = memo(function Line({
  line,
  times,
  withInstance,
}: {
  readonly line: NumberedLine
  readonly times: boolean
  readonly withInstance: boolean
}) {
  return (
    <div className={`line line-${line.stream}`}>
      {times && <time className="line-time">{formatClock(line.at)}</time>}
      {withInstance && line.instance !== undefined && (
        <span className={`line-instance hue-${hueOf(line.instance)}`}>{line.instance.split('.').at(-1)}</span>
      )}
      <span className="line-text">{line.line}</span>
    </div>
  )
})

const hues = 6

/** The same instance keeps its colour. */
function hueOf(instance: string): number {
  let hash = 0
  for (const char of instance) hash = (hash * 31 + char.charCodeAt(0)) % 65_521
  return hash % hues
}

function OutputState({ output, shown }: { readonly output: Lines; readonly shown: number }) {
  const text = useText()
  const states = {
    loading: ['busy', text.common.loading],
    following: ['ok', text.logs.following],
    lost: ['warn', text.logs.lost],
    ended: ['off', text.logs.ended],
  } as const
  const [tone, label] = states[output.state]
  return (
    <span className="status output-state" role="status">
      <Mark tone={tone} />
      {label}
      <span className="muted">{text.units.lines(shown)}</span>
    </span>
  )
}

function Toggle({
  label,
  on,
  onChange,
}: {
  readonly label: string
  readonly on: boolean
  readonly onChange: (on: boolean) => void
}) {
  return (
    <Button small aria-pressed={on} onClick={() => onChange(!on)}>
      {label}
    </Button>
  )
}

function save(name: string, lines: readonly NumberedLine[]): void {
  const content = lines
    .map(({ at, instance, line }) => [new Date(at).toISOString(), instance, line].filter(Boolean).join(' '))
    .join('\n')
  const url = URL.createObjectURL(new Blob([content, '\n'], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${name}.log`
  link.click()
  URL.revokeObjectURL(url)
}
