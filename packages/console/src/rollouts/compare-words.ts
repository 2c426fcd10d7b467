import type { Language } from '../i18n/language.tsx'

const english = {
  title: 'Compare releases',
  from: 'Before',
  to: 'After',
  pool: 'As in',
  commits: 'Commits',
  sameCommit: 'It is the same commit.',
  env: 'Environment variables and secrets',
  sizes: 'Sizes and counts',
  rest: 'Other settings',
  same: 'All settings are the same.',
  elseSame: 'All other settings are the same.',
  sameImage: 'The image is the same.',
}

const chinese: typeof english = {
  title: '比较版本',
  from: '之前',
  to: '之后',
  pool: '环境',
  commits: '提交',
  sameCommit: '提交相同。',
  env: '环境变量和密钥',
  sizes: '规格和数量',
  rest: '其他设置',
  same: '所有设置相同。',
  elseSame: '其余设置相同。',
  sameImage: '镜像相同。',
}

export const compareWords = (language: Language): typeof english => (language === 'zh' ? chinese : english)
