import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from '../controllers/cluster.testing.ts'
import { MaintenancePages } from './maintenance-pages.ts'

const call = { actor: 'token:ann' }
let cluster: TestCluster
let pages: MaintenancePages

beforeEach(async () => {
  cluster = await TestCluster.start()
  pages = new MaintenancePages(cluster.records, cluster.traffic)
  cluster.commits.set('c1', testSpec({ web: { replicas: 1 } }, { routes: [webRoute] }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const { host } = webRoute
const shown = () => cluster.node.table?.routes.find((route) => route.host === host)?.maintenance

it('comes to gateways and goes again; its page is remembered', async () => {
  await pages.set(host, { on: true, page: '<h1>soon</h1>' }, call)
  await cluster.until('the page', () => shown()?.page === '<h1>soon</h1>')
  expect(cluster.traffic.routes()).toMatchObject([{ host, maintenance: true }])
  await pages.set(host, { on: false }, call)
  await cluster.until('the end', () => shown() === undefined)
  await pages.set(host, { on: true }, call)
  await cluster.until('it again', () => shown()?.page === '<h1>soon</h1>')
  await pages.set(host, { on: true, page: null }, call)
  await cluster.until('the own page', () => shown()?.page === '')
  await pages.set(host, { on: false }, call)
  await pages.set(host, { on: false }, call)
  expect(pages.all()).toEqual([])
  const events = [...cluster.state.events.values()].filter(({ type }) => type.startsWith('route.maintenance'))
  expect(events).toHaveLength(5)
  expect(events[0]).toMatchObject({ type: 'route.maintenance-begun', actor: 'token:ann' })
})

it('of a host without a route, or with a page that is too large, is refused', async () => {
  const near = `${host}x`
  await expect(pages.set(near, { on: true }, call)).rejects.toMatchObject({
    code: 'route.not-found',
    message: `no route has the host ${near}; did you mean ${host}?`,
  })
  await expect(pages.set(near, { on: false }, call)).rejects.toMatchObject({ code: 'route.not-found' })
  const large = { on: true, page: 'x'.repeat(65_537) }
  await expect(pages.set(host, large, call)).rejects.toMatchObject({ code: 'maintenance.page-too-large' })
})
