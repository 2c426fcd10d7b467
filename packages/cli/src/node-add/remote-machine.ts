import { BerthError, type MachineFacts, parseMachineFacts } from '@berth/core'
import { type SurveyQuestions, surveyArguments, surveyScript } from '@berth/host'
import type { RunOptions, SshRun, SshSession } from '../ssh/ssh-session.ts'

/** How one becomes root on a machine. */
export type RootWay = 'root' | 'sudo' | 'sudo-with-password' | 'no-sudo' | 'sudo-refused'

/** A machine that one is logged in at, where programs are run as root if that can be. */
export class RemoteMachine {
  readonly session: SshSession
  readonly way: RootWay
  readonly #sudoPassword: string | undefined

  private constructor(session: SshSession, way: RootWay, sudoPassword: string | undefined) {
    this.session = session
    this.way = way
    this.#sudoPassword = sudoPassword
  }

  static async find(session: SshSession, sudoPassword: string | undefined): Promise<RemoteMachine> {
    return new RemoteMachine(session, await rootWay(session, sudoPassword), sudoPassword)
  }

  get isRoot(): boolean {
    return this.way === 'root' || this.way === 'sudo' || this.way === 'sudo-with-password'
  }

  /** As root where that can be, else as the user. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<SshRun> {
    if (this.way === 'sudo') return this.session.run(['sudo', '-n', '--', ...argv], options)
    if (this.way !== 'sudo-with-password') return this.session.run(argv, options)
    // `-k` asks anew each time: a password that sudo did not want would reach the program.
    const input = withFirstLine(`${this.#sudoPassword}\n`, options.input)
    return this.session.run(['sudo', '-k', '-S', '-p', '', '--', ...argv], { ...options, input })
  }

  /** Throws `node.survey-failed`. */
  async survey(questions: SurveyQuestions): Promise<MachineFacts> {
    const argv = ['sh', '-s', '--', ...surveyArguments(questions)]
    const { stdout, stderr, code } = await this.run(argv, { input: surveyScript })
    const facts = parseMachineFacts(stdout)
    if (facts !== undefined) return facts
    const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join(' · ')
    throw new BerthError(
      'node.survey-failed',
      `look at the machine: its shell gave no whole answer (exit code ${code}${said === '' ? '' : `: ${said}`})`,
    )
  }
}

async function rootWay(session: SshSession, sudoPassword: string | undefined): Promise<RootWay> {
  const user = await session.run(['id', '-u'])
  if (user.stdout.trim() === '0') return 'root'
  if ((await session.run(['sh', '-c', 'command -v sudo'])).code !== 0) return 'no-sudo'
  if ((await session.run(['sudo', '-n', 'true'])).code === 0) return 'sudo'
  if (sudoPassword === undefined) return 'sudo-refused'
  const tried = await session.run(['sudo', '-k', '-S', '-p', '', '--', 'true'], { input: `${sudoPassword}\n` })
  return tried.code === 0 ? 'sudo-with-password' : 'sudo-refused'
}

async function* withFirstLine(line: string, input: RunOptions['input'] = ''): AsyncGenerator<Uint8Array> {
  yield Buffer.from(line)
  if (typeof input === 'string') yield Buffer.from(input)
  else if (input instanceof Uint8Array) yield input
  else yield* input
}
