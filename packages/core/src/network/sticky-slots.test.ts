import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renderPortRoutes, updatePortRoutes } from './render-port-routes.ts'
import type { Member, PortRoute } from './route-table.ts'
import { stickyId, stickySlots, stickySlotsOf } from './sticky-slots.ts'

const arbitraryMembers = fc.uniqueArray(
  fc.record({
    to: fc.integer({ min: 1, max: 400 }).map((n) => `10.77.0.${n}:80`),
    weight: fc.integer({ min: 1, max: 9 }),
  }),
  { selector: ({ to }) => to, minLength: 1, maxLength: 8 },
)

describe('slots of a sticky route', () => {
  it('move only from a member that leaves, and only to one that comes, in whatever order they are told', () => {
    fc.assert(
      fc.property(arbitraryMembers, fc.nat(), (members, n) => {
        const gone = n % members.length
        const ledTo = (list: typeof members): (string | undefined)[] =>
          stickySlotsOf(list).map((place) => list[place]?.to)
        const all = ledTo(members)
        const less = ledTo(members.filter((_, place) => place !== gone))
        expect(all.length).toBe(stickySlots)
        expect(ledTo(members.toReversed())).toEqual(all)
        all.forEach((to, slot) => {
          if (to !== members[gone]?.to && less.length > 0) expect(less[slot]).toBe(to)
        })
      }),
      { numRuns: 60 },
    )
  })

  it('are as many for each as its weight says, about', () => {
    const members = [1, 2, 5].map((weight, n) => ({ to: `10.77.0.${n}:80`, weight }))
    const slots = stickySlotsOf(members)
    const shares = members.map((_, place) => slots.filter((each) => each === place).length / stickySlots)
    for (const [place, { weight }] of members.entries())
      expect(Math.abs(shares[place]! - weight / 8)).toBeLessThan(0.04)
    expect(stickySlotsOf([])).toEqual([])
  })

  it('know a member by a number that is nobody else’s, nor a priority that packets have', () => {
    const ids = Array.from({ length: 5_000 }, (_, n) => stickyId(`10.77.${n >> 8}.${n & 255}:80`))
    expect(new Set(ids).size).toBe(5_000)
    expect(ids.every((id) => /^[89a-f][0-9a-f]{3}:[0-9a-f]{1,4}$/.test(id))).toBe(true)
  })
})

/** What the kernel does with a new connection of the client whose address has this hash, by the text of the table. */
class PretendedKernel {
  readonly #kept = new Map<number, string>()
  #text = ''

  load(text: string): void {
    this.#text = text
  }

  connect(client: number): string | undefined {
    const [, known = '', slots = '', only] =
      /meta priority vmap {([^}]*)}[^j]*?delete @kept-tcp9000-v4 { ip saddr : 0:0 }\n *(?:jhash[^{]*{([^}]*)}|goto (\S+))/.exec(
        this.#text,
      ) ?? []
    const kept = this.#kept.get(client)
    const chain = (kept === undefined ? undefined : lookUp(known, kept)) ?? only ?? lookUp(slots, String(client))
    const body = new RegExp(`chain ${chain} {([^}]*{[^}]*}[^}]*)}`).exec(this.#text)?.[1] ?? ''
    const id = /update @kept-tcp9000-v4 { ip saddr timeout 3600000ms : (\S+) }/.exec(body)?.[1]
    if (id !== undefined) this.#kept.set(client, id)
    return / to (\S+)/.exec(body)?.[1]
  }
}

const lookUp = (entries: string, key: string): string | undefined =>
  new RegExp(`(?:^|[ ,])${key} : goto ([^\\s,]+)`).exec(entries)?.[1]

const place = { own: ['10.77.0.0/24'], pools: ['10.77.0.0/16'], gateway: '10.77.0.1' }
const arbitraryState = fc.constantFrom('active' as const, 'draining' as const, undefined)
const routeOf = (states: readonly (Member['state'] | undefined)[], more: Partial<PortRoute> = {}): PortRoute => ({
  ...{ id: 'a', protocol: 'tcp', port: 9000, stickyMs: 3_600_000 },
  targets: [
    {
      ...{ pool: 'p', weight: 1 },
      members: states.flatMap((state, n) =>
        state === undefined ? [] : [{ instance: `${n}`, address: `10.77.0.${n + 2}`, port: 80, weight: 1, state }],
      ),
    },
  ],
  ...more,
})

describe('a sticky route', () => {
  it('leaves every client where it is as long as its member is in traffic, whatever the others do', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(...[1, 2, 3, 4].map(() => arbitraryState)), { minLength: 1, maxLength: 6 }),
        (steps) => {
          const kernel = new PretendedKernel()
          const before = new Map<number, string | undefined>()
          for (const states of steps) {
            const active = new Set(states.flatMap((state, n) => (state === 'active' ? [`10.77.0.${n + 2}:80`] : [])))
            if (active.size === 0) continue
            kernel.load(renderPortRoutes([routeOf(states)], place, steps.indexOf(states)).ruleset)
            for (const client of [0, 1, 77, 500, 1_023]) {
              const was = before.get(client)
              const now = kernel.connect(client)
              expect(active).toContain(now)
              if (was !== undefined && active.has(was)) expect(now).toBe(was)
              before.set(client, now)
            }
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('changes with its table, in which what there is stays and what is not wanted goes', () => {
    const rendered = renderPortRoutes([routeOf(['active', 'active'])], place)
    const gone = [
      { kind: 'map' as const, name: 'kept-tcp1-v4' },
      { kind: 'chain' as const, name: 'tcp1-v4' },
    ]
    const update = updatePortRoutes(rendered, [...rendered.objects, ...gone])
    expect(update.split('\n').slice(0, 3)).toEqual([
      'table inet berth_routes',
      'flush table inet berth_routes',
      'table inet berth_routes {',
    ])
    expect(update.split('\n').slice(-3)).toEqual([
      'delete chain inet berth_routes tcp1-v4',
      'delete map inet berth_routes kept-tcp1-v4',
      '',
    ])
    expect(rendered.objects).toContainEqual({ kind: 'map', name: 'kept-tcp9000-v4' })
    expect(rendered.objects).toContainEqual({ kind: 'counter', name: 'out-tcp9000-10_77_0_2_80' })
  })
})
