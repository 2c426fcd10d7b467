import type { StageView } from '@berth/api/deploy-resources'
import type { Language } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'

/** Words of this part of the console alone: they come with it. */
const english = {
  title: 'Stages',
  receipt: 'Receipt',
  continue: 'Continue',
  skip: 'Skip stage',
  skipAsk: (stage: string) => `Skip the stage ${stage}?`,
  skipText: 'It ends whatever its gates say, and the next one begins.',
  skipped: (who: string) => `skipped by ${who}`,
  by: (who: string) => `by ${who}`,
  goesOn: (target: string) => `The rollout of ${target} goes on`,
  approve: 'Approve',
  approvals: (given: number, needed: number) => `Approvals: ${given} of ${needed}`,
  approved: (target: string) => `The rollout of ${target} is approved`,
  paused: 'Stood still',
  requests: 'Requests',
  counts: (all: number, errors: number, lost: number) => `${all} served, ${errors} answered 5xx, ${lost} lost`,
  times: (name: string, before: number, after: number) => `${name}: ${before} ms before, ${after} ms after`,
  states: { off: 'not begun', busy: 'under way', warn: 'waits', bad: 'failed', ok: 'done' },
}

const chinese: typeof english = {
  title: '阶段',
  receipt: '发布记录',
  continue: '继续下一阶段',
  skip: '跳过此阶段',
  skipAsk: (stage) => `跳过阶段 ${stage}？`,
  skipText: '无论关卡结果如何，此阶段都会结束，并开始下一阶段。',
  skipped: (who) => `由 ${who} 跳过`,
  by: (who) => `由 ${who}`,
  goesOn: (target) => `${target} 的发布已继续`,
  approve: '批准',
  approvals: (given, needed) => `批准：${needed} 人中已有 ${given} 人`,
  approved: (target) => `${target} 的发布已批准`,
  paused: '停顿',
  requests: '请求',
  counts: (all, errors, lost) => `共 ${all} 个，5xx ${errors} 个，丢失 ${lost} 个`,
  times: (name, before, after) => `${name}：之前 ${before} 毫秒，之后 ${after} 毫秒`,
  states: { off: '未开始', busy: '进行中', warn: '等待中', bad: '失败', ok: '完成' },
}

export const stageWords = (language: Language): typeof english => (language === 'zh' ? chinese : english)

export function stageTone({ startedAt, readyAt, endedAt, gates }: StageView): Tone {
  if (gates.some(({ verdict }) => verdict === 'failed')) return 'bad'
  if (endedAt !== undefined) return 'ok'
  if (startedAt === undefined) return 'off'
  return readyAt === undefined ? 'busy' : 'warn'
}

export const gateTones: Readonly<Record<StageView['gates'][number]['verdict'], Tone>> = {
  waiting: 'off',
  'no-data': 'warn',
  passed: 'ok',
  failed: 'bad',
}
