import type { ReceiptView } from '@berth/api/deploy-resources'
import { Took } from '../components/age.tsx'
import { Facts, Section } from '../components/layout.tsx'
import { Code, personOf } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { formatDuration } from '../format/quantities.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { useOne } from '../live/use-one.ts'
import { type RolloutWords, rolloutWords } from './rollout-words.ts'

/** What it was in the end: who, what, how long, what became of requests, when it stood still. */
export function ReceiptSection({ id }: { readonly id: string }) {
  const words = rolloutWords(useLanguage().language)
  const receipt = useOne('getReceipt', { params: { id } }).value
  if (receipt === undefined) return null
  return (
    <Section title={words.receipt}>
      <div className="receipt">
        <ReceiptFacts receipt={receipt} />
        {receipt.requests !== undefined && <Requests requests={receipt.requests} />}
        {receipt.pauses.length > 0 && (
          <ul className="receipt-pauses small">
            {receipt.pauses.map(({ since, until, reason }) => (
              <li key={since}>
                {words.paused} <Took from={since} to={until} />: <span className="muted">{reason}</span>
              </li>
            ))}
          </ul>
        )}
        <p className="muted small">
          {words.asJson}: <Code copy>{`berth rollout receipt ${id} -o json`}</Code>
        </p>
      </div>
    </Section>
  )
}

function ReceiptFacts({ receipt }: { readonly receipt: ReceiptView }) {
  const text = useText()
  const words = rolloutWords(useLanguage().language)
  const { by, commit, subject, image, plan, approvals, frozen, tookMs } = receipt
  const counts = Object.entries(plan).map(([name, { before, after }]) =>
    before === after ? `${name} ${after}` : `${name} ${before} → ${after}`,
  )
  return (
    <Facts
      facts={[
        [words.who, personOf(by)],
        [words.took, formatDuration(tookMs)],
        [words.instances, counts.join(', ')],
        [
          text.release.commit,
          commit === undefined ? undefined : (
            <span key="c">
              <Code short={12}>{commit}</Code> {subject}
            </span>
          ),
        ],
        [
          text.release.image,
          image === undefined ? undefined : (
            <Code key="i" copy short={24}>
              {image}
            </Code>
          ),
        ],
        [words.approvedBy, approvals?.given.map((each) => personOf(each.by)).join(', ')],
        [words.overridden, frozen && `${frozen.reason} (${frozen.freezes.join(', ')})`],
      ]}
    />
  )
}

/** A lost request is the first thing that one looks for. */
function Requests({ requests }: { readonly requests: NonNullable<ReceiptView['requests']> }) {
  const words = rolloutWords(useLanguage().language)
  const { before, after, lost, errors } = requests
  return (
    <dl className="figures receipt-figures">
      <div className="figure">
        <dt>{words.served}</dt>
        <dd>{requests.requests}</dd>
      </div>
      <div className="figure">
        <dt>{words.errors}</dt>
        <dd className={errors > 0 ? 'warn-text' : ''}>{errors}</dd>
      </div>
      <div className="figure">
        <dt>{words.lost}</dt>
        <dd className={lost > 0 ? 'status-bad' : 'status-ok'}>
          {lost === 0 && <Mark tone="ok" />} {lost}
        </dd>
      </div>
      {(['p50Ms', 'p99Ms'] as const).map((key) => (
        <div key={key} className="figure">
          <dt>{key.slice(0, 3)}</dt>
          <dd>{changeOf(words, before[key], after[key])}</dd>
        </div>
      ))}
    </dl>
  )
}

const changeOf = (words: RolloutWords, before: number | undefined, after: number | undefined): string =>
  [before, after].map((each) => (each === undefined ? '–' : words.ms(each))).join(' → ')
