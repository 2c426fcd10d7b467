const paths = {
  search: 'M7 1.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM11 11l3.5 3.5',
  apps: 'M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z',
  activity: 'M1 8h3l2-5 4 10 2-5h3',
  nodes: 'M2 2.5h12v4.5H2zM2 9h12v4.5H2zM4.5 4.75h.01M4.5 11.25h.01',
  routes: 'M3 13V9a3 3 0 0 1 3-3h7M10 3l3 3-3 3M3 3v2',
  events: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM8 4.5V8l2.5 1.5',
  help: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM6 6.2a2 2 0 1 1 2.6 1.9c-.4.2-.6.4-.6.9v.4M8 11.6h.01',
  sun: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  moon: 'M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z',
  system: 'M1.5 2.5h13v8.5h-13zM5.5 14h5M8 11v3',
  globe: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM1.5 8h13M8 1.5c-4 4-4 9 0 13M8 1.5c4 4 4 9 0 13',
  user: 'M8 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM2.5 14c.5-3 2.5-4.5 5.5-4.5s5 1.5 5.5 4.5',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  check: 'M3 8.5l3.5 3.5L13 4.5',
  chevron: 'M6 3.5L10.5 8 6 12.5',
  external: 'M9 2h5v5M14 2L7.5 8.5M12 9.5V14H2V4h4.5',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  warn: 'M8 2l6.5 11.5h-13zM8 6.5v3M8 11.4h.01',
  down: 'M8 2v10M3.5 8L8 12.5 12.5 8',
  logout: 'M6 2H2.5v12H6M10 4.5L13.5 8 10 11.5M13.5 8H6',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  deploy: 'M8 14V5M4 8.5L8 4.5l4 4M3 1.5h10',
  box: 'M8 1.5l6 3.2v6.6l-6 3.2-6-3.2V4.700zM2 4.700l6 3.2 6-3.200M8 8v6.500',
  key: 'M5.500 7.500a3 3 0 1 1 0 5 3 3 0 0 1 0-5zM7.500 8.500L13.500 2.500M11 5l2 2',
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
