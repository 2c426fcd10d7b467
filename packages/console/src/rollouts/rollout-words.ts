import type { RolloutView, StageView } from '@berth/api/deploy-resources'
import type { Language } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'

/** Words of this part of the console alone: they come with it. */
const english = {
  title: 'Stages',
  next: 'Next',
  ends: 'everything runs the new release',
  receipt: 'Receipt',
  steer: 'What you can do',
  moves: {
    approve: 'Approve',
    continue: 'Continue',
    pause: 'Pause',
    resume: 'Resume',
    skip: 'Skip stage',
    abort: 'Abort',
    rollback: 'Roll back',
    again: 'Deploy again',
  },
  details: {
    abort: (release: string) => `back to ${release}`,
    rollback: (release: string) => `to ${release}`,
    again: (release: string) => release,
  },
  hindrances: {
    role: 'Your role may only look; it takes a deployer.',
    goingBack: 'It goes back already.',
    noStages: 'It has no stages to skip.',
    later: 'A later rollout has begun since: its page rolls back.',
    given: 'Whoever asked for it does not count, nor anybody twice.',
  },
  skipAsk: (stage: string) => `Skip the stage ${stage}?`,
  skipText: 'It ends whatever its gates say, and the next one begins.',
  backAsk: (target: string, release: string) => `Roll ${target} back to ${release}?`,
  backText: 'The whole pool goes back; requests under way are finished first. Nothing is built.',
  abortAsk: (target: string) => `Abort the rollout of ${target}?`,
  abortText: (release: string) =>
    `Nothing more is replaced and the whole pool goes back to ${release}; requests under way are finished first.`,
  abortFirst: 'Nothing served before it: what it has created is removed.',
  againAsk: (target: string, release: string) => `Deploy ${release} to ${target} again?`,
  againText: 'It goes through all stages from the first on. Nothing is built.',
  skipped: (who: string) => `skipped by ${who}`,
  by: (who: string) => `by ${who}`,
  done: {
    approve: (target: string) => `The rollout of ${target} is approved`,
    continue: (target: string) => `The rollout of ${target} goes on`,
    pause: (target: string) => `The rollout of ${target} is paused`,
    resume: (target: string) => `The rollout of ${target} goes on`,
    skip: (target: string) => `The rollout of ${target} goes on`,
    abort: (target: string) => `The rollout of ${target} goes back`,
    rollback: (target: string) => `${target} is rolled back`,
    again: (target: string) => `${target} is deployed`,
  },
  approvals: (given: number, needed: number) => `Approvals: ${given} of ${needed}`,
  noApproval: 'Nobody has said yes yet.',
  paused: 'Stood still',
  served: 'Served',
  errors: 'Answered 5xx',
  lost: 'Lost',
  counts: (all: number, errors: number, lost: number) => `${all} served, ${errors} answered 5xx, ${lost} lost`,
  before: 'Before',
  after: 'After',
  ms: (value: number) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ms`,
  took: 'Took',
  instances: 'Instances',
  who: 'Asked for by',
  approvedBy: 'Approved by',
  overridden: 'Although deploys were frozen',
  asJson: 'As JSON',
  states: { off: 'not begun', busy: 'under way', warn: 'waits', bad: 'given up', ok: 'done' },
  map: 'Instances by node',
  noNode: 'no node yet',
  newOne: 'new',
  oldOne: 'old',
  legend: { busy: 'on its way', bad: 'in trouble' },
  traffic: 'Requests, old and new',
  measures: { requests: 'Requests a second', errors: 'Errors (5xx) a second', slow: '95 % are answered within' },
  noTraffic: 'No request has met this pool since a minute before the rollout, or no gateway counts them.',
  failing: 'In trouble',
  logs: 'All its logs',
  compare: 'Compare',
  output: 'Output',
}

const chinese: typeof english = {
  title: '阶段',
  next: '下一步',
  ends: '全部运行新版本',
  receipt: '发布记录',
  steer: '可执行的操作',
  moves: {
    approve: '批准',
    continue: '继续',
    pause: '暂停',
    resume: '恢复',
    skip: '跳过此阶段',
    abort: '中止',
    rollback: '回滚',
    again: '再次部署',
  },
  details: {
    abort: (release) => `回到 ${release}`,
    rollback: (release) => `到 ${release}`,
    again: (release) => release,
  },
  hindrances: {
    role: '您的角色只能查看；此操作需要 deployer 角色。',
    goingBack: '已在回滚中。',
    noStages: '没有可跳过的阶段。',
    later: '之后已开始另一次发布：请在该次发布的页面回滚。',
    given: '发起人不能批准，同一人也不能批准两次。',
  },
  skipAsk: (stage) => `跳过阶段 ${stage}？`,
  skipText: '无论关卡结果如何，此阶段都会结束，并开始下一阶段。',
  backAsk: (target, release) => `将 ${target} 回滚到 ${release}？`,
  backText: '整个实例池都会回滚；进行中的请求会先完成。不需要构建。',
  abortAsk: (target) => `中止 ${target} 的发布？`,
  abortText: (release) => `不再替换实例，整个实例池回到 ${release}；进行中的请求会先完成。`,
  abortFirst: '此前没有服务：已创建的实例会被移除。',
  againAsk: (target, release) => `将 ${release} 再次部署到 ${target}？`,
  againText: '从第一个阶段重新开始。不需要构建。',
  skipped: (who) => `由 ${who} 跳过`,
  by: (who) => `由 ${who}`,
  done: {
    approve: (target) => `${target} 的发布已批准`,
    continue: (target) => `${target} 的发布已继续`,
    pause: (target) => `${target} 的发布已暂停`,
    resume: (target) => `${target} 的发布已继续`,
    skip: (target) => `${target} 的发布已继续`,
    abort: (target) => `${target} 正在回滚`,
    rollback: (target) => `${target} 正在回滚`,
    again: (target) => `${target} 正在部署`,
  },
  approvals: (given, needed) => `批准：${needed} 人中已有 ${given} 人`,
  noApproval: '还没有人批准。',
  paused: '停顿',
  served: '已服务',
  errors: '5xx',
  lost: '丢失',
  counts: (all, errors, lost) => `共 ${all} 个，5xx ${errors} 个，丢失 ${lost} 个`,
  before: '之前',
  after: '之后',
  ms: (value) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} 毫秒`,
  took: '用时',
  instances: '实例',
  who: '发起人',
  approvedBy: '批准人',
  overridden: '冻结期间仍发布的原因',
  asJson: 'JSON 格式',
  states: { off: '未开始', busy: '进行中', warn: '等待中', bad: '已放弃', ok: '完成' },
  map: '各节点上的实例',
  noNode: '尚无节点',
  newOne: '新',
  oldOne: '旧',
  legend: { busy: '过渡中', bad: '有问题' },
  traffic: '新旧版本的请求',
  measures: { requests: '每秒请求', errors: '每秒错误（5xx）', slow: '95% 的响应时间' },
  noTraffic: '自发布前一分钟以来没有请求到达此实例池，或没有网关计数。',
  failing: '有问题的实例',
  logs: '全部日志',
  compare: '比较',
  output: '输出',
}

export type RolloutWords = typeof english

export const rolloutWords = (language: Language): RolloutWords => (language === 'zh' ? chinese : english)

/** The last stage that had begun, when the rollout went back: there it was given up, though nothing of it need have failed. */
const isGivenUp = (stage: StageView, { state, stages = [] }: RolloutView): boolean =>
  state !== 'running' &&
  state !== 'paused' &&
  state !== 'succeeded' &&
  stage.startedAt !== undefined &&
  stage === stages.findLast(({ startedAt }) => startedAt !== undefined)

export function stageTone(stage: StageView, rollout: RolloutView): Tone {
  const { startedAt, readyAt, endedAt, gates } = stage
  if (isGivenUp(stage, rollout) || gates.some(({ verdict }) => verdict === 'failed')) return 'bad'
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
