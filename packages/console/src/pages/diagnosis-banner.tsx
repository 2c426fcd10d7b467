import type { InstanceView } from '@berth/api/instance-resources'
import { Icon, type IconName } from '../components/icons.tsx'
import { LogTail } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { type Diagnosis, diagnose, type NextStep, worstFirst } from '../live/diagnosis.ts'
import { useMay } from '../live/session.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

const icons: Readonly<Record<NextStep, IconName>> = {
  logs: 'logs',
  metrics: 'activity',
  terminal: 'terminal',
  node: 'nodes',
  nodes: 'nodes',
  capacity: 'groups',
}

function placeOf(step: NextStep, { id, app, pool, node }: InstanceView): string {
  if (step === 'capacity') return path('apps', app, pool, 'plan')
  if (step === 'nodes' || (step === 'node' && node === undefined)) return '/nodes'
  return step === 'node' ? path('nodes', node ?? '') : path('instances', id, step)
}

interface DiagnosisBannerProps {
  readonly instance: InstanceView
  readonly diagnosis: Diagnosis
  /** Where the instance is not what the page is about. */
  readonly named?: boolean
  /** How many others have something wrong. */
  readonly others?: number
}

/** What is wrong, in the words of who saw it, and where to look next. */
export function DiagnosisBanner({ instance, diagnosis, named = false, others = 0 }: DiagnosisBannerProps) {
  const { diagnosis: text } = useText()
  const may = useMay('deployer')
  const { tone, problem, detail, next } = diagnosis
  const { logTail = [] } = instance
  return (
    <section className={`diagnosis diagnosis-${tone}`} aria-label={text.title}>
      <div className="diagnosis-head">
        <Mark tone={tone} />
        <div className="diagnosis-main">
          <p className="diagnosis-title">
            {named && <Link to={path('instances', instance.id)}>{instance.name}</Link>} {text.problems[problem]}
            {others > 0 && <span className="muted"> · {text.others(others)}</span>}
          </p>
          {detail !== undefined && <p>{detail}</p>}
          <p className="muted">{text.advice[problem]}</p>
        </div>
        <span className="diagnosis-next">
          {next
            .filter((step) => step !== 'terminal' || may)
            .map((step) => (
              <Link key={step} to={placeOf(step, instance)} className="button button-plain button-small">
                <Icon name={icons[step]} />
                {text.next[step]}
              </Link>
            ))}
        </span>
      </div>
      {logTail.length > 0 && <LogTail lines={named ? logTail.slice(-4) : logTail} />}
    </section>
  )
}

/** Of several instances only the worst is explained: most often they all have the same. */
export function WorstInstance({ instances }: { readonly instances: readonly InstanceView[] }) {
  const wrong = worstFirst(instances).flatMap((instance) => {
    const diagnosis = diagnose(instance)
    return diagnosis === undefined ? [] : [{ instance, diagnosis }]
  })
  const [worst] = wrong
  return worst === undefined ? null : <DiagnosisBanner {...worst} named others={wrong.length - 1} />
}
