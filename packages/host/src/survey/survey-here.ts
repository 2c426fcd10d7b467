import { spawn } from 'node:child_process'
import { BerthError, type MachineFacts, parseMachineFacts } from '@berth/core'
import { surveyScript } from './survey-script.ts'

export interface SurveyQuestions {
  readonly stateDir: string
  /** Where the executable is, or is to be. */
  readonly program: string
  readonly dockerSocket: string
  readonly server?: { readonly host: string; readonly apiPort: number; readonly agentPort?: number }
}

const timeoutMs = 60_000

/** The script's arguments. */
export const surveyArguments = ({ stateDir, program, dockerSocket, server }: SurveyQuestions): string[] => [
  ...[stateDir, program, dockerSocket, server?.host ?? ''],
  ...[server?.apiPort, server?.agentPort].map((port) => (port === undefined ? '' : String(port))),
]

/** What this machine is. Throws `host.survey-failed`. */
export function surveyHere(questions: SurveyQuestions, signal: AbortSignal): Promise<MachineFacts> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-s', '--', ...surveyArguments(questions)], {
      ...{ stdio: ['pipe', 'pipe', 'ignore'], timeout: timeoutMs, signal, cwd: '/' },
    })
    const parts: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.stdin.on('error', () => undefined)
    child.once('error', reject)
    child.once('close', () => {
      const facts = parseMachineFacts(Buffer.concat(parts).toString())
      if (facts !== undefined) resolve(facts)
      else
        reject(
          new BerthError(
            'host.survey-failed',
            `look at this machine: sh gave no whole answer within ${timeoutMs / 1000} s`,
          ),
        )
    })
    child.stdin.end(surveyScript)
  })
}
