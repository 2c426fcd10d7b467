import { setTimeout as delay } from 'node:timers/promises'
import { checkEnrolment, enrol } from '../../packages/agent/src/link/enrol.ts'
import { readIdentity } from '../../packages/agent/src/link/node-identity.ts'
import { runAgent } from '../../packages/agent/src/main.ts'
import { purgeNode } from '../../packages/agent/src/purge.ts'
import { BerthError, messageOf } from '../../packages/core/src/index.ts'
import { renewSupervisor, restartAgent, upgradeHere } from '../../packages/host/src/index.ts'
import { berthProgram } from '../berth-program.ts'
import { type RoleArguments, readRoleArguments } from '../role-arguments.ts'
import { untilSignal } from '../until-signal.ts'
import { version } from '../version.ts'

const lookAgainMs = 200

/** `berth agent`: this machine's instances; `join`: makes it a node (the token comes on standard input); `check-join`: what would keep it from that; `purge`: undoes its traces. */
export async function run(args: readonly string[]): Promise<number> {
  const role = readRoleArguments(args, { command: 'berth agent', options: ['server'], tasks: Object.keys(tasks) })
  const task = tasks[role.words[0] ?? '']
  if (task !== undefined) return task(role)
  const { paths, config, log } = role
  const signal = untilSignal()
  if (!(await untilEnrolled(paths.stateDir, signal))) return 0
  await runAgent(
    {
      stateDir: paths.stateDir,
      runDir: paths.runDir,
      version,
      log,
      program: berthProgram(),
      ...(config === undefined ? {} : { dockerSocket: config.dockerSocket, gateway: config.gateway }),
      keepsDocker: config?.superviseDocker === true,
      ...(config?.network === undefined ? {} : { networkDriver: config.network }),
      ...(config?.keepEndedDays === undefined ? {} : { keepEndedMs: config.keepEndedDays * 86_400_000 }),
    },
    { signal },
  )
  return 0
}

/** Started before its machine has joined, it waits: `berth up` starts everything first and enrols then. */
async function untilEnrolled(stateDir: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    try {
      await readIdentity(stateDir)
      return true
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'agent.not-joined') throw error
    }
    await delay(lookAgainMs, undefined, { signal }).catch(() => undefined)
  }
  return false
}

/** What would keep this machine from joining, as one JSON document. */
async function checkJoin({ paths, values }: RoleArguments): Promise<number> {
  const { token, name, address, labels } = JSON.parse(await standardInput())
  const check = await checkEnrolment({ server: values.server ?? '', token, name, address, labels })
  process.stdout.write(`${JSON.stringify({ ...check, identity: await identityOf(paths.stateDir) })}\n`)
  return 0
}

async function identityOf(stateDir: string): Promise<object | undefined> {
  const found = await readIdentity(stateDir).catch(() => undefined)
  return found === undefined ? undefined : { name: found.name, cluster: found.cluster }
}

async function standardInput(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  return text
}

/** Started by the agent, which it outlives: puts the executable that has arrived in place, or the old one back. */
async function upgrade({ paths }: RoleArguments): Promise<number> {
  const [program = '', ...more] = berthProgram()
  if (more.length > 0) throw new BerthError('upgrade.no-executable', 'only the executable can be upgraded')
  const log = (message: string) => void process.stdout.write(`${new Date().toISOString()} ${message}\n`)
  const { state } = await upgradeHere({
    ...{ paths, program, log, signal: untilSignal() },
    restart: () => restartAgent(paths),
    settle: () => renewSupervisor(paths, [program], log),
  })
  return state === 'done' ? 0 : 1
}

async function join({ paths, config, values }: RoleArguments): Promise<number> {
  if (config === undefined) throw new BerthError('host.not-up', `${paths.config} does not exist; use berth node join`)
  const token = await standardInput()
  try {
    const { node, address, labels } = config
    await enrol({ server: values.server ?? '', token, name: node, address, labels, stateDir: paths.stateDir })
    return 0
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    return 1
  }
}

async function purge({ paths, config, log }: RoleArguments): Promise<number> {
  const dockerSocket = config?.dockerSocket ?? '/var/run/docker.sock'
  log.level = 'silent'
  const problems = await purgeNode({
    stateDir: paths.stateDir,
    runDir: paths.runDir,
    dockerSocket,
    log,
    signal: untilSignal(),
  })
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  return problems.length === 0 ? 0 : 1
}

const tasks: Readonly<Record<string, (role: RoleArguments) => Promise<number>>> = {
  ...{ join, purge, upgrade },
  'check-join': checkJoin,
}
