import type { RehearsalView } from '@berth/api/planning-resources'
import type { Language } from '../i18n/language.tsx'

type Unknown = RehearsalView['unknown'][number]

const english = {
  title: 'Places, stage by stage',
  comes: 'comes',
  goes: 'goes',
  serving: (name: string, lowest: number, highest: number) =>
    lowest === highest ? `${name}: ${lowest} in traffic` : `${name}: ${lowest} to ${highest} in traffic`,
  still: 'Nothing comes or goes.',
  peak: (cores: string, ofCores: string, memory: string, ofMemory: string) =>
    `at the peak ${cores} of ${ofCores} cores, ${memory} of ${ofMemory}`,
  newOne: (name: string, count: number) => `${count} new of ${name} come`,
  oldOne: (name: string, count: number) => `${count} old of ${name} go`,
  anew: (name: string, count: number) => `${count} old of ${name} are made anew`,
  otherNodes: (count: number) => (count === 1 ? '1 other node' : `${count} other nodes`),
  stuck: 'It stops there and would go back',
  unplaced: (name: string, count: number, why: string) => `${count} of ${name} find no place: ${why}`,
  long: 'The rest is not gone through: it would take too long.',
  unknownTitle: 'Not known',
  always: 'What others want meanwhile, and which instance is ready first: both may move places.',
  unknown: {
    gang: 'Not gone through: an entrypoint with gang: true starts all at once or not at all.',
    preempt: 'Not gone through: an entrypoint with preempt: true may ask others to leave.',
    balance: 'How busy nodes are by then, which strategy: balance goes by.',
    'not-serving': 'When instances that do not serve now will: they count as missing.',
    silent: 'What becomes of instances on nodes that are not heard of.',
    mixed: 'How far the rollout under way has come by then.',
  } satisfies Record<Unknown, string>,
  kept: 'Kept addresses',
  anyNode: 'any node of its range',
  onlyHome: (node: string) => `${node} only`,
}

const chinese: typeof english = {
  title: '各阶段的位置',
  comes: '新增',
  goes: '离开',
  serving: (name, lowest, highest) =>
    lowest === highest ? `${name}：${lowest} 个在接收流量` : `${name}：${lowest} 至 ${highest} 个在接收流量`,
  still: '没有实例新增或离开。',
  peak: (cores, ofCores, memory, ofMemory) => `峰值 ${cores} / ${ofCores} 核，${memory} / ${ofMemory}`,
  newOne: (name, count) => `新增 ${count} 个 ${name}`,
  oldOne: (name, count) => `${count} 个旧的 ${name} 离开`,
  anew: (name, count) => `重建 ${count} 个旧的 ${name}`,
  otherNodes: (count) => `其他 ${count} 个节点`,
  stuck: '会停在这里并回退',
  unplaced: (name, count, why) => `${count} 个 ${name} 没有位置：${why}`,
  long: '其余部分未推演：耗时过长。',
  unknownTitle: '无法预知',
  always: '其间其他应用的需求，以及哪个实例先就绪：两者都可能改变位置。',
  unknown: {
    gang: '未推演：带有 gang: true 的入口要么全部启动，要么都不启动。',
    preempt: '未推演：带有 preempt: true 的入口可能请其他实例让位。',
    balance: '届时各节点的负载（strategy: balance 的依据）。',
    'not-serving': '目前未在服务的实例何时恢复：按缺失计算。',
    silent: '失联节点上的实例会怎样。',
    mixed: '届时正在进行的发布已到哪一步。',
  },
  kept: '保留的地址',
  anyNode: '其网段内的任意节点',
  onlyHome: (node) => `仅 ${node}`,
}

export const rehearsalWords = (language: Language): typeof english => (language === 'zh' ? chinese : english)
