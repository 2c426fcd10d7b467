import type { FreezeView } from '@berth/api/release-resources'
import { Banner } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { formatTime } from '../format/times.ts'
import { useLanguage } from '../i18n/language.tsx'
import type { Course } from './begin.ts'
import { beginWords } from './begin-words.ts'

/** Who has to say yes, and the stages that come. */
export function CourseList({ course: { stages, approvals, before } }: { readonly course: Course }) {
  const words = beginWords(useLanguage().language)
  return (
    <div className="course">
      {approvals > 0 && (
        <p>
          <Mark tone="warn" /> {words.approvals(approvals)}
        </p>
      )}
      {before.length > 0 && <p>{words.before(before.join(', '))}</p>}
      {stages.length === 0 && <p className="muted">{words.direct}</p>}
      {stages.length > 0 && (
        <ol className="stages">
          {stages.map(({ name, traffic, gates }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: stages neither move nor are added
            <li key={index} className="stage stage-off">
              <strong className="stage-name">{name}</strong>
              {traffic !== undefined && (
                <p className="small">{words.traffic(traffic.map((part) => part / 10).join(' → '))}</p>
              )}
              {gates.length === 0 && index < stages.length - 1 && <p className="muted small">{words.noGates}</p>}
              <ul className="gates small">
                {gates.map((gate) => (
                  <li key={gate} className="gate gate-waiting">
                    <Mark tone="off" />
                    <span>{gate}</span>
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

interface FreezesProps {
  readonly active: readonly FreezeView[]
  readonly ahead: readonly FreezeView[]
  readonly reason: string
  readonly onReason: (reason: string) => void
}

/** Those of now have to be overridden with a reason; those that come are told, since a release may last until then. */
export function Freezes({ active, ahead, reason, onReason }: FreezesProps) {
  const { language } = useLanguage()
  const words = beginWords(language)
  const aheadText = ({ name, when, reason: why }: FreezeView): string => {
    const at = when.type === 'again' ? `${when.cron}, ${when.zone}` : formatTime(when.from, language)
    return `${name} (${at}): ${why}`
  }
  return (
    <>
      {active.map((each) => (
        <Banner key={each.name} tone="warn" title={words.frozen(each.name)} lines={[each.reason]}>
          {each.until !== undefined && (
            <span>
              {words.until} {formatTime(each.until, language)}
            </span>
          )}
        </Banner>
      ))}
      {active.length > 0 && (
        <Field label={words.reason} hint={words.reasonHint}>
          <input maxLength={500} value={reason} onChange={(event) => onReason(event.target.value)} />
        </Field>
      )}
      {ahead.length > 0 && (
        <p className="muted small">
          {words.ahead}: {ahead.map(aheadText).join('; ')}
        </p>
      )}
    </>
  )
}
