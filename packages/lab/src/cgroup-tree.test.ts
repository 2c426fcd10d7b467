import { describe, expect, test } from 'vitest'
import { type CgroupHierarchy, parseHierarchies } from './cgroup-tree.ts'

const line = (mountPoint: string, type: string, options: string) =>
  `32 31 0:29 / ${mountPoint} rw,relatime shared:9 - ${type} cgroup ${options}`

const cases: { name: string; mountinfo: string[]; expected: CgroupHierarchy[] }[] = [
  {
    name: 'version 1, one controller a hierarchy',
    mountinfo: [line('/sys/fs/cgroup/cpu', 'cgroup', 'rw,cpu'), line('/sys/fs/cgroup/pids', 'cgroup', 'rw,pids')],
    expected: [
      { mountPoint: '/sys/fs/cgroup/cpu', type: 'cgroup', mountOptions: 'cpu' },
      { mountPoint: '/sys/fs/cgroup/pids', type: 'cgroup', mountOptions: 'pids' },
    ],
  },
  {
    name: 'version 1, controllers together, as systemd mounts them',
    mountinfo: [line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,xattr,cpu,cpuacct')],
    expected: [{ mountPoint: '/sys/fs/cgroup/cpu,cpuacct', type: 'cgroup', mountOptions: 'cpu,cpuacct' }],
  },
  {
    name: 'a named hierarchy has no controller',
    mountinfo: [line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,release_agent=/lib/agent,name=systemd')],
    expected: [{ mountPoint: '/sys/fs/cgroup/systemd', type: 'cgroup', mountOptions: 'none,name=systemd' }],
  },
  {
    name: 'version 2 alone',
    mountinfo: [line('/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate,memory_recursiveprot')],
    expected: [{ mountPoint: '/sys/fs/cgroup', type: 'cgroup2', mountOptions: 'rw' }],
  },
  {
    name: 'other mounts are none of it',
    mountinfo: [line('/sys/fs/cgroup', 'tmpfs', 'rw,mode=755'), line('/', 'ext4', 'rw'), ''],
    expected: [],
  },
]

describe('parseHierarchies', () => {
  test.each(cases)('$name', ({ mountinfo, expected }) => {
    expect(parseHierarchies(mountinfo.join('\n'))).toEqual(expected)
  })
})
