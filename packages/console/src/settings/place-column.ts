import type { Column } from '../components/table.tsx'

interface Place {
  readonly app?: string | undefined
  readonly pool?: string | undefined
}

/** Of which deploys something is: `shop/*`, or all. */
export const placeColumn = <T extends Place>(text: { readonly of: string; readonly all: string }): Column<T> => ({
  ...{ key: 'of', title: text.of },
  cell: ({ app, pool }) => (app === undefined && pool === undefined ? text.all : [app ?? '*', pool ?? '*'].join('/')),
})
