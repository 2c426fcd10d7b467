import { Age } from '../components/age.tsx'
import { Banner, Facts, Section } from '../components/layout.tsx'
import { formatBytes } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'

const everyMs = 60_000

/** The cluster's registry, on the page of the node that runs it. */
export function NodeRegistry({ node }: { readonly node: string }) {
  const { registry: text } = useText()
  const { value } = usePolled('getClusterRegistry', {}, everyMs)
  if (value === undefined || value.node !== node) return null
  const { host, running, problem, images, missing, sizeBytes, freeBytes, collected } = value
  return (
    <Section title={text.title}>
      {problem !== undefined && <Banner tone="warn" title={problem} />}
      <Facts
        facts={[
          [text.state, running ? text.running : text.notRunning],
          [text.address, <code key="h">{host}</code>],
          [text.images, missing === 0 ? String(images) : text.missing(images, missing)],
          [text.size, sizeBytes === undefined ? undefined : formatBytes(sizeBytes)],
          [text.free, freeBytes === undefined ? undefined : formatBytes(freeBytes)],
          [text.collected, collected === undefined ? undefined : <Age key="c" at={collected.at} />],
        ]}
      />
    </Section>
  )
}
