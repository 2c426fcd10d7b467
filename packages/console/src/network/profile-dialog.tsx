import type { ChangedFlowGroup, ProfilePlan } from '@berth/api/net-resources'
import type { ProfileView, ValidatedProfileView } from '@berth/api/policy-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Banner, Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'
import { Silent } from './asked.tsx'
import { portText } from './end-name.tsx'
import { newProfileText, profileText } from './profile-text.ts'

interface ProfileDialogProps {
  /** The one that is changed. */
  readonly profile?: ProfileView
  readonly onClose: () => void
}

interface Planned {
  readonly read: ValidatedProfileView & { readonly name: string; readonly document: Record<string, unknown> }
  readonly plan: ProfilePlan
}

/** First the rules as they are written, then which connections they would cut, then the confirmation. */
export function ProfileDialog({ profile, onClose }: ProfileDialogProps) {
  const { network: text, common, resize } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [written, setWritten] = useState(() => (profile === undefined ? newProfileText : profileText(profile)))
  const [problems, setProblems] = useState<ValidatedProfileView['problems']>([])
  const [planned, setPlanned] = useState<Planned>()
  const look = () =>
    submit({
      run: async () => {
        const read = await client.call('validateProfile', { body: { text: written } })
        setProblems(read.problems)
        const { name, document } = read
        if (name === undefined || document === undefined) return undefined
        const plan = await client.call('planProfiles', { body: { profiles: [document] } })
        return { read: { ...read, name, document }, plan }
      },
      after: setPlanned,
    })
  const apply = () => {
    if (planned === undefined) return
    const { name, document } = planned.read
    const query = profile?.name === name ? { version: profile.version } : {}
    submit({
      run: () => client.call('putProfile', { params: { name }, query, body: document }),
      done: text.profiles.applied(name),
      to: () => path('network', 'profiles', name),
      after: onClose,
    })
  }
  return (
    <Dialog
      wide
      title={profile === undefined ? text.profiles.apply : text.profiles.editTitle(profile.name)}
      step={planned === undefined ? 0 : 1}
      onClose={onClose}
      onSubmit={planned === undefined ? look : apply}
      footer={
        <>
          {planned === undefined ? (
            <Button onClick={onClose}>{common.cancel}</Button>
          ) : (
            <Button onClick={() => setPlanned(undefined)}>{resize.back}</Button>
          )}
          <Button
            key={planned === undefined ? 'look' : 'apply'}
            kind="primary"
            type="submit"
            disabled={busy || written.trim() === ''}
          >
            {planned === undefined ? text.profiles.look : text.profiles.put}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      {planned === undefined ? (
        <>
          {problems.length > 0 && (
            <div role="alert">
              <Banner tone="bad" title={text.profiles.mistakes} lines={problems.map(problemText)} />
            </div>
          )}
          <Field label={text.profiles.written} hint={text.profiles.writtenHint}>
            <textarea
              className="mono profile-text"
              rows={14}
              spellCheck={false}
              value={written}
              onChange={(event) => setWritten(event.target.value)}
            />
          </Field>
        </>
      ) : (
        <Plan {...planned} isOther={profile !== undefined && profile.name !== planned.read.name} />
      )}
    </Dialog>
  )
}

const problemText = ({ line, path: place, message, suggestion }: ValidatedProfileView['problems'][number]): string =>
  [line === undefined ? place : `${line}: ${place}`, message, suggestion]
    .filter((part) => part !== undefined && part !== '')
    .join(': ')

function Plan({ read, plan, isOther }: Planned & { readonly isOther: boolean }) {
  const { network: text } = useText()
  const { flows, cut, cutFlows, opened, openedFlows, more, silent } = plan
  return (
    <div className="plan">
      {isOther && <Banner tone="warn" title={text.profiles.isOther(read.name)} />}
      <Silent silent={silent} />
      <p>
        <strong>{read.name}</strong> <span className="muted">{text.profiles.lookedAt(flows)}</span>
      </p>
      {more > 0 && <p className="warn-text">{text.profiles.notLookedAt(more)}</p>}
      {cutFlows + openedFlows === 0 && <p>{text.profiles.noChange}</p>}
      <Changed title={text.profiles.cut(cutFlows)} tone="bad" groups={cut} />
      {cutFlows > 0 && <p className="muted small">{text.profiles.cutHint}</p>}
      <Changed title={text.profiles.opened(openedFlows)} tone="info" groups={opened} />
      <details>
        <summary>{text.rules}</summary>
        <pre className="command">
          {profileText({
            name: read.name,
            tags: tagsOf(read.document),
            inbound: read.inbound ?? [],
            outbound: read.outbound ?? [],
          })}
        </pre>
      </details>
    </div>
  )
}

const tagsOf = ({ tags }: Record<string, unknown>): string[] => (Array.isArray(tags) ? tags.map(String) : [])

interface ChangedProps {
  readonly title: string
  readonly tone: 'bad' | 'info'
  readonly groups: readonly ChangedFlowGroup[]
}

function Changed({ title, tone, groups }: ChangedProps) {
  if (groups.length === 0) return null
  const lines = groups
    .slice(0, 50)
    .map(({ from, to, flows, message, ...group }) => `${from} → ${to} ${portText(group)} (${flows}): ${message}`)
  return <Banner tone={tone} title={title} lines={lines} />
}
