import type { ComponentType } from 'react'
import { Page } from './layout.tsx'

interface TabbedPageProps<T extends string> {
  /** Where the first tab is; the others are below it. */
  readonly at: string
  readonly title: string
  readonly about: Readonly<Record<T, string>>
  readonly labels: Readonly<Record<T, string>>
  readonly tabs: Readonly<Record<T, ComponentType>>
  readonly tab: T
}

/** A page of several views, each with an address of its own. */
export function TabbedPage<T extends string>({ at, title, about, labels, tabs, tab }: TabbedPageProps<T>) {
  const Shown: ComponentType = tabs[tab]
  return (
    <Page
      title={title}
      about={about[tab]}
      tabs={(Object.keys(tabs) as T[]).map((each, index) => ({
        label: labels[each],
        to: index === 0 ? at : `${at}/${each}`,
        exact: index === 0,
      }))}
    >
      <Shown />
    </Page>
  )
}
