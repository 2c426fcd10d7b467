import type { NodeView } from '@berth/api/node-resources'
import { type ReactNode, useState } from 'react'
import { LabelsDialog, ResourcesDialog, resourceText, TaintsDialog } from '../actions/labels-dialog.tsx'
import { NodeGroupDialog } from '../actions/node-group-dialog.tsx'
import { NodeImagesDialog } from '../actions/node-images-dialog.tsx'
import { SpeedDialog } from '../actions/speed-dialog.tsx'
import { RoleButton } from '../components/button.tsx'
import { Section } from '../components/layout.tsx'
import { imagesTextOf } from '../groups/images-text.ts'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

type Subject = 'group' | 'speed' | 'images' | 'labels' | 'taints' | 'resources'

/** What decides what is placed on a node, each with the way to change it. */
export function NodeScheduling({ node }: { readonly node: NodeView }) {
  const { placing: text, labels, taints, resources } = useText()
  const [open, setOpen] = useState<Subject>()
  const close = () => setOpen(undefined)
  const group = node.group ?? 'default'
  const speed = (node.speedMilli ?? 1000) / 1000
  const rows: readonly (readonly [Subject, string, ReactNode, string])[] = [
    [
      'group',
      text.group,
      <Link key="g" to={path('groups', group)}>
        {group}
      </Link>,
      text.changeGroup,
    ],
    ['speed', text.speed, speed === 1 ? text.asOthers : text.times(String(speed)), text.changeSpeed],
    ['images', text.images, imagesTextOf(text, node.imageRules), text.changeImages],
    [
      'labels',
      text.labels,
      chips(
        Object.entries(node.labels).map((pair) => pair.join('=')),
        labels.none,
      ),
      labels.edit,
    ],
    [
      'taints',
      text.taints,
      chips(
        (node.taints ?? []).map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)),
        taints.none,
      ),
      taints.edit,
    ],
    [
      'resources',
      text.resources,
      chips(
        Object.entries(node.resources ?? {}).map(([name, value]) => `${name}: ${resourceText(value)}`),
        resources.none,
      ),
      resources.edit,
    ],
  ]
  return (
    <Section title={text.title} flush>
      <ul className="rows">
        {rows.map(([subject, name, value, verb]) => (
          <li key={subject} className="row placing-row">
            <span className="muted placing-name">{name}</span>
            <span className="row-main">{value}</span>
            <RoleButton needs="admin" small onClick={() => setOpen(subject)}>
              {verb}
            </RoleButton>
          </li>
        ))}
      </ul>
      {open === 'group' && <NodeGroupDialog node={node} onClose={close} />}
      {open === 'speed' && <SpeedDialog node={node} onClose={close} />}
      {open === 'images' && <NodeImagesDialog node={node} onClose={close} />}
      {open === 'labels' && <LabelsDialog node={node} onClose={close} />}
      {open === 'taints' && <TaintsDialog node={node} onClose={close} />}
      {open === 'resources' && <ResourcesDialog node={node} onClose={close} />}
    </Section>
  )
}

const chips = (words: readonly string[], none: string): ReactNode =>
  words.length === 0 ? (
    <span className="muted">{none}</span>
  ) : (
    <span className="chips">
      {words.map((word) => (
        <span key={word} className="chip mono">
          {word}
        </span>
      ))}
    </span>
  )
