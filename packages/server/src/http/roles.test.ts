import { type Endpoint, type EndpointName, endpoints } from '@berth/api'
import type { Role } from '@berth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServerUnderTest } from '../server-under-test.testing.ts'

const callers = ['nobody', 'viewer', 'deployer', 'admin'] as const
type Caller = (typeof callers)[number]

let server: ServerUnderTest
const tokens = new Map<Caller, string>()
beforeAll(async () => {
  server = await ServerUnderTest.start()
  for (const role of ['viewer', 'deployer', 'admin'] as const) tokens.set(role, await server.token(`the-${role}`, role))
})
afterAll(async () => await server[Symbol.asyncDispose]())

/** What a reader expects of each operation, said again: a slip in the table of endpoints must not go unnoticed. */
const leastRole: Readonly<Record<EndpointName, Role | 'none'>> = {
  getStatus: 'viewer',
  listApprovalRules: 'viewer',
  addApprovalRule: 'admin',
  removeApprovalRule: 'admin',
  listHookTargets: 'viewer',
  setHookTarget: 'admin',
  removeHookTarget: 'admin',
  getClusterRegistry: 'viewer',
  getRegistryImages: 'viewer',
  getExternalImages: 'deployer',
  runClusterRegistry: 'admin',
  collectClusterRegistry: 'admin',
  stopClusterRegistry: 'admin',
  getRouting: 'viewer',
  updateRouting: 'admin',
  setRoutingPeer: 'admin',
  removeRoutingPeer: 'admin',
  setCloudTable: 'admin',
  removeCloudTable: 'admin',
  getNodeRoutes: 'viewer',
  listAddresses: 'viewer',
  getAddress: 'viewer',
  checkAddresses: 'viewer',
  releaseAddresses: 'admin',
  getRoutingSessions: 'viewer',
  listAddressPools: 'viewer',
  getAddressPool: 'viewer',
  addAddressPool: 'admin',
  updateAddressPool: 'admin',
  removeAddressPool: 'admin',
  createBackup: 'admin',
  getVersion: 'none',
  listServers: 'viewer',
  createServerToken: 'admin',
  joinServer: 'none',
  listApps: 'viewer',
  getApp: 'viewer',
  createApp: 'deployer',
  removeApp: 'deployer',
  uploadSource: 'deployer',
  validateSpec: 'viewer',
  deploy: 'deployer',
  planDeploy: 'viewer',
  applyPlan: 'deployer',
  getCapacity: 'viewer',
  getCoreMap: 'viewer',
  startBuild: 'deployer',
  listBuilds: 'viewer',
  getBuild: 'viewer',
  getBuildOutput: 'viewer',
  cancelBuild: 'deployer',
  getPipeline: 'viewer',
  setPipeline: 'deployer',
  removePipeline: 'deployer',
  createWebhookSecret: 'deployer',
  lookAtPipeline: 'deployer',
  promoteRelease: 'deployer',
  getReleaseDiff: 'viewer',
  listReleases: 'viewer',
  getRelease: 'viewer',
  scalePool: 'deployer',
  resizeEntrypoint: 'deployer',
  getAdvice: 'viewer',
  resizeInstance: 'deployer',
  restartPool: 'deployer',
  rollbackPool: 'deployer',
  removePool: 'deployer',
  runJob: 'deployer',
  listRollouts: 'viewer',
  getRollout: 'viewer',
  pauseRollout: 'deployer',
  resumeRollout: 'deployer',
  abortRollout: 'deployer',
  skipStage: 'deployer',
  continueRollout: 'deployer',
  rollbackRollout: 'deployer',
  getReceipt: 'viewer',
  getPrometheus: 'viewer',
  approveRollout: 'deployer',
  listFreezes: 'viewer',
  addFreeze: 'admin',
  removeFreeze: 'admin',
  setPrometheus: 'admin',
  removePrometheus: 'admin',
  listInstances: 'viewer',
  getInstance: 'viewer',
  restartInstance: 'deployer',
  publishPort: 'deployer',
  unpublishPort: 'deployer',
  attachNetwork: 'deployer',
  detachNetwork: 'deployer',
  stopInstance: 'deployer',
  getLogs: 'viewer',
  exec: 'deployer',
  getMetrics: 'viewer',
  getTraffic: 'viewer',
  getAcme: 'viewer',
  setAcme: 'admin',
  removeAcme: 'admin',
  getMaintenance: 'viewer',
  setMaintenance: 'deployer',
  getPoolTraffic: 'viewer',
  listNodes: 'viewer',
  getNode: 'viewer',
  updateNode: 'admin',
  drainNode: 'admin',
  undrainNode: 'admin',
  measureNode: 'admin',
  listProfiles: 'viewer',
  getProfile: 'viewer',
  getProfileUsers: 'viewer',
  validateProfile: 'viewer',
  getProfileCounters: 'viewer',
  listFlows: 'viewer',
  listFlowGroups: 'viewer',
  getNetMatrix: 'viewer',
  listDrops: 'viewer',
  planProfiles: 'viewer',
  putProfile: 'admin',
  removeProfile: 'admin',
  explainPacket: 'viewer',
  listExternals: 'viewer',
  getExternal: 'viewer',
  setExternal: 'admin',
  removeExternal: 'admin',
  listFailoverAddresses: 'viewer',
  getFailoverAddress: 'viewer',
  addFailoverAddress: 'admin',
  removeFailoverAddress: 'admin',
  listLans: 'viewer',
  getLan: 'viewer',
  createLan: 'admin',
  removeLan: 'admin',
  listSubscriptions: 'viewer',
  setSubscription: 'admin',
  removeSubscription: 'admin',
  trySubscription: 'admin',
  streamEvents: 'viewer',
  listDomains: 'viewer',
  getDomain: 'viewer',
  setDomain: 'admin',
  removeDomain: 'admin',
  listGroups: 'viewer',
  getGroup: 'viewer',
  createGroup: 'admin',
  updateGroup: 'admin',
  removeGroup: 'admin',
  movePool: 'deployer',
  listApprovals: 'viewer',
  decideApproval: 'deployer',
  listCrons: 'viewer',
  getCron: 'viewer',
  runCron: 'deployer',
  removeNode: 'admin',
  listImages: 'viewer',
  pruneImages: 'admin',
  listRegistries: 'deployer',
  setRegistry: 'admin',
  removeRegistry: 'admin',
  createJoinToken: 'admin',
  execOnNode: 'admin',
  upgradeNode: 'admin',
  planNodeConfig: 'admin',
  applyNodeConfig: 'admin',
  rollbackNodeConfig: 'admin',
  stopNodeConfig: 'admin',
  getNodeConfig: 'viewer',
  listNodeConfigVersions: 'viewer',
  getNodeConfigVersion: 'admin',
  checkJoin: 'none',
  joinNode: 'none',
  listSecrets: 'deployer',
  setSecret: 'deployer',
  removeSecret: 'deployer',
  listTokens: 'admin',
  createToken: 'admin',
  removeToken: 'admin',
  listRoutes: 'viewer',
  listCertificates: 'viewer',
  setCertificate: 'deployer',
  removeCertificate: 'deployer',
  getRebalance: 'viewer',
  planRebalance: 'viewer',
  startRebalance: 'admin',
  stopRebalance: 'admin',
  listEvents: 'viewer',
}

const cases = (Object.entries(endpoints) as [EndpointName, Endpoint][]).flatMap(([name, endpoint]) =>
  callers.map((caller) => ({ name, endpoint, caller })),
)

describe('who may call what', () => {
  it('is said for every endpoint', () => {
    expect(Object.keys(leastRole).sort()).toEqual(Object.keys(endpoints).sort())
  })

  it.each(cases)('$caller → $name', async ({ name, endpoint, caller }) => {
    const path = endpoint.path.replace(/:(\w+)/g, 'nothing')
    const { method } = endpoint
    const json = method === 'GET' ? {} : { headers: { 'content-type': 'application/json' }, body: '{}' }
    const token = tokens.get(caller)
    const answer = await server.ask({ method, path, ...json, ...(token === undefined ? {} : { token }) })
    const least = leastRole[name]
    if (least === 'none') expect([200, 400]).toContain(answer.status)
    else if (caller === 'nobody')
      expect(answer).toMatchObject({ status: 401, text: expect.stringContaining('auth.missing') })
    else if (callers.indexOf(caller) < callers.indexOf(least)) {
      expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('auth.forbidden') })
      const { message } = JSON.parse(answer.text).error as { message: string }
      expect(message).toMatch(new RegExp(`that needs the role ${least}, and .* has the role ${caller};`))
      expect(message).not.toMatch(/\b(GET|PUT|POST|PATCH|DELETE)\b|\/v1\//)
    } else expect([200, 400, 404, 409, 415, 426]).toContain(answer.status)
  })

  it.each(['/metrics'])('nobody → %s', async (path) => {
    expect((await server.ask({ path })).status).toBe(401)
    expect((await server.ask({ path, token: tokens.get('viewer') ?? '' })).status).toBe(200)
  })

  it.each(['/healthz', '/v1/version', '/v1/openapi.json'])('anybody → %s', async (path) => {
    expect((await server.ask({ path })).status).toBe(200)
  })

  it('writes nothing for those who may not', async () => {
    const before = (await server.local.call('getStatus')).revision
    const body = JSON.stringify({ name: 'shop' })
    const headers = { 'content-type': 'application/json' }
    const answer = await server.ask({
      method: 'POST',
      path: '/v1/apps',
      token: tokens.get('viewer') ?? '',
      headers,
      body,
    })
    expect(answer.status).toBe(403)
    expect((await server.local.call('getStatus')).revision).toBe(before)
  })
})
