import type { Figure, FigureContext, FigureResult } from '../figure.ts'
import { type ClusterForm, clusterForm, describeForm } from './cluster-form.ts'
import { type ClusterRun, type ClusterSize, runCluster } from './run-cluster.ts'

/** HashiCorp's million container challenge: 1,000 jobs of 1,000 tasks on 5,000 hosts, five servers, 2016. */
const nomadSeconds = 266.7
const million = 1_000_000

export interface ClusterFigureOptions extends ClusterSize {
  readonly name: string
  readonly targetSeconds: number
  readonly description: string
}

/** Seconds until everything is ready at the API, with one server, its store and all simulated agents on this machine. */
export const clusterFigure = (options: ClusterFigureOptions): Figure => ({
  name: options.name,
  description: options.description,
  unit: 's',
  peer: `Nomad's million containers in ${nomadSeconds} s on 5,000 hosts, for as many`,
  peerKind: 'published',
  target: `<= ${options.targetSeconds} s`,
  run: (context) => measure(options, context),
})

async function measure(options: ClusterFigureOptions, { signal, log }: FigureContext): Promise<FigureResult> {
  const form = clusterForm(options)
  log(describeForm(form))
  const run = await runCluster({ ...form, signal, log })
  const count = form.apps * form.replicas
  const peer = (nomadSeconds * count) / million
  const targetSeconds = (options.targetSeconds * count) / (options.apps * options.replicas)
  return {
    ...{ ours: run.seconds, peer, ratio: run.seconds / peer, ok: run.seconds <= targetSeconds },
    samples: [run.seconds],
    notes: [...notesOfForm(options, form, targetSeconds), ...notesOf(run, count)],
  }
}

/** Less or more than the figure stands for is judged in proportion. */
function notesOfForm(options: ClusterFigureOptions, form: ClusterForm, targetSeconds: number): string[] {
  const isAsGiven = (['nodes', 'apps', 'replicas'] as const).every((name) => form[name] === options[name])
  return isAsGiven && form.store === 'sqlite' ? [] : [`${describeForm(form)}: at most ${targetSeconds.toFixed(0)} s`]
}

function notesOf(run: ClusterRun, count: number): string[] {
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`
  const grown = (run.after.rssBytes - run.before.rssBytes) / count
  const perInstance = (run.serverCpuSeconds / count) * 1e6
  return [
    `${Math.round(count / run.seconds)} instances/s from the first call until all were ready; calls answered after ${run.callSeconds.toFixed(1)} s`,
    `server: ${run.serverCpuSeconds.toFixed(0)} s of processor time, ${perInstance.toFixed(0)} µs an instance`,
    `server: RSS ${mebibytes(run.after.rssBytes)} (anonymous ${mebibytes(run.after.anonymousBytes)}), grown by ${Math.round(grown)} bytes an instance`,
    `store: ${mebibytes(run.storeBytes)}${run.storeCpuSeconds > 0 ? `, ${run.storeCpuSeconds.toFixed(0)} s of processor time` : ''}`,
    `nodes: enrolled in ${run.enrolSeconds ?? 'an earlier run'} s, linked in ${run.linkSeconds ?? 0} s; RSS of all their agents ${mebibytes(run.fleetBytes)}`,
    `nodes lost on the way: ${run.timesLost}`,
    `the machine's load at the end: ${run.load.toFixed(1)}`,
  ]
}
