import { describe, expect, it } from 'vitest'
import { hasLayerQuota } from './layer-quota.ts'

const mounts = (options: string): string =>
  [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    `30 22 7:0 / /var/lib/docker rw,relatime shared:1 - xfs /dev/loop0 ${options}`,
    '31 22 7:1 / /var/lib/docker-other rw,relatime - xfs /dev/loop1 rw,attr2',
  ].join('\n')
const xfs = [
  ['Backing Filesystem', 'xfs'],
  ['Supports d_type', 'true'],
]

describe('hasLayerQuota', () => {
  it.each([
    ['overlay2 on xfs with project quotas', 'overlay2', xfs, 'rw,attr2,inode64,prjquota', true],
    ['the same by its other name', 'overlay2', xfs, 'rw,pquota', true],
    ['overlay2 on xfs without', 'overlay2', xfs, 'rw,attr2,noquota', false],
    ['overlay2 on ext4', 'overlay2', [['Backing Filesystem', 'extfs']], 'rw,prjquota', false],
    ['btrfs', 'btrfs', [], 'rw', true],
    ['vfs', 'vfs', null, 'rw,prjquota', false],
    ['containerd’s image store', 'overlayfs', [['driver-type', 'io.containerd.snapshotter.v1']], 'rw,prjquota', false],
  ])('%s', (_, Driver, DriverStatus, options, expected) => {
    expect(hasLayerQuota({ Driver, DriverStatus, DockerRootDir: '/var/lib/docker' }, mounts(options))).toBe(expected)
  })
})
