import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const treeLayouts = ['v1', 'hybrid', 'v2-cgroupfs', 'v2-systemd'] as const
export type TreeLayout = (typeof treeLayouts)[number]

const id = '3a90eb47a40d99e0dd2efebcc74d7681b1c7f6cce8d2d3b0b58868dc565a7084'

/** The part of /proc and /sys/fs/cgroup that grants are about, for one container with the process 42, as kernels show it. */
export class CgroupTreeFiles {
  readonly #root: string
  readonly #layout: TreeLayout

  constructor(root: string, layout: TreeLayout) {
    this.#root = root
    this.#layout = layout
    this.#write('proc/42/cgroup', membership[layout])
    for (const [path, text] of Object.entries(this.#isUnified ? this.#versionTwo() : this.#versionOne())) {
      this.#write(path, text)
    }
    if (layout === 'hybrid') this.setPressureUs(1_000_000)
  }

  get roots(): { cgroupRoot: string; procRoot: string } {
    return { cgroupRoot: join(this.#root, 'cgroup'), procRoot: join(this.#root, 'proc') }
  }

  /** A file of the container: `cpuset.cpus`, with its controller in version 1. */
  read(file: string, controller = 'cpu'): string {
    return readFileSync(join(this.#root, this.#directory(controller), file), 'utf8')
  }

  set(file: string, text: string, controller = 'cpu'): void {
    this.#write(join(this.#directory(controller), file), text)
  }

  readParent(file: string): string {
    return readFileSync(join(this.#root, dirname(this.#directory('cpu')), file), 'utf8')
  }

  setUsage(usedUs: number): void {
    if (this.#isUnified) this.set('cpu.stat', `usage_usec ${usedUs}\nuser_usec 1\nsystem_usec 2\n`)
    else this.set('cpuacct.usage', `${usedUs * 1000}\n`, 'cpuacct')
  }

  setPressureUs(totalUs: number): void {
    const text = `some avg10=2.14 avg60=4.22 avg300=13.67 total=${totalUs}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n`
    const directory = this.#isUnified ? this.#directory('cpu') : `cgroup/unified/docker/${id}`
    this.#write(join(directory, 'cpu.pressure'), text)
  }

  setThread(thread: number, waitedNs: number): void {
    this.#write(`proc/${thread}/schedstat`, `191357969 ${waitedNs} 622\n`)
  }

  setThreads(...threads: number[]): void {
    const [file, controller] = this.#isUnified ? ['cgroup.threads', 'cpu'] : ['tasks', 'cpuacct']
    this.set(file, threads.map((each) => `${each}\n`).join(''), controller)
  }

  get #isUnified(): boolean {
    return this.#layout.startsWith('v2')
  }

  #directory(controller: string): string {
    if (this.#layout === 'v2-systemd') return `cgroup/system.slice/docker-${id}.scope`
    return this.#isUnified ? `cgroup/docker/${id}` : `cgroup/${controller}/docker/${id}`
  }

  #versionOne(): Record<string, string> {
    const of = (controller: string, file: string): string => `${this.#directory(controller)}/${file}`
    return {
      [of('cpuset', 'cpuset.cpus')]: '0-1\n',
      [of('cpu', 'cpu.shares')]: '1024\n',
      [of('cpu', 'cpu.cfs_quota_us')]: '130000\n',
      [of('cpu', 'cpu.cfs_period_us')]: '100000\n',
      [of('cpu', 'cpu.cfs_burst_us')]: '0\n',
      [of('cpu', 'cpu.stat')]: 'nr_periods 0\nnr_throttled 0\nthrottled_time 0\n',
      [of('cpuacct', 'cpuacct.usage')]: '0\n',
      [of('cpuacct', 'tasks')]: '42\n',
      [of('memory', 'memory.limit_in_bytes')]: '268435456\n',
      [of('memory', 'memory.usage_in_bytes')]: '104857600\n',
      [of('memory', 'memory.stat')]: 'inactive_file 1\ntotal_inactive_file 4857600\n',
      'cgroup/cpu/docker/cpu.shares': '1024\n',
    }
  }

  #versionTwo(): Record<string, string> {
    const of = (file: string): string => `${this.#directory('')}/${file}`
    return {
      [of('cpuset.cpus')]: '\n',
      [of('cpuset.cpus.effective')]: '0-1\n',
      [of('cpu.weight')]: '100\n',
      [of('cpu.max')]: '130000 100000\n',
      [of('cpu.max.burst')]: '0\n',
      [of('cpu.stat')]: 'usage_usec 0\nuser_usec 0\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n',
      [of('cgroup.threads')]: '42\n',
      [of('memory.max')]: '268435456\n',
      [of('memory.current')]: '104857600\n',
      [of('memory.stat')]: 'anon 1\nfile 2\ninactive_file 4857600\n',
      [`${dirname(this.#directory(''))}/cpu.weight`]: '100\n',
    }
  }

  #write(path: string, text: string): void {
    mkdirSync(dirname(join(this.#root, path)), { recursive: true })
    writeFileSync(join(this.#root, path), text)
  }
}

const controllers = ['memory', 'cpuset', 'cpuacct', 'cpu'].map((name, index) => `${4 - index}:${name}:/docker/${id}\n`)

const membership: Readonly<Record<TreeLayout, string>> = {
  v1: controllers.join(''),
  hybrid: `${controllers.join('')}0::/docker/${id}\n`,
  'v2-cgroupfs': `0::/docker/${id}\n`,
  'v2-systemd': `0::/system.slice/docker-${id}.scope\n`,
}
