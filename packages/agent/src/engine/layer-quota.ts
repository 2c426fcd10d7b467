/** What of Docker's facts tells it. */
export interface StorageFacts {
  readonly Driver?: string
  readonly DriverStatus?: readonly (readonly string[])[] | null
  readonly DockerRootDir: string
}

/**
 * Whether Docker can hold a container's writable layer within a size (`--storage-opt size`): btrfs and zfs always, overlay2 only on an xfs
 * that is mounted with project quotas, of which Docker itself says the file system alone.
 *
 * @param mountinfo `/proc/self/mountinfo` of a process that sees what dockerd sees.
 */
export function hasLayerQuota({ Driver, DriverStatus, DockerRootDir }: StorageFacts, mountinfo: string): boolean {
  if (Driver === 'btrfs' || Driver === 'zfs') return true
  const backing = (DriverStatus ?? []).find(([name]) => name === 'Backing Filesystem')?.[1]
  if (Driver !== 'overlay2' || backing !== 'xfs') return false
  return /(^|,)(prjquota|pquota)(,|$)/.test(optionsOfMount(mountinfo, DockerRootDir))
}

/** Of the mount that holds a path: the longest mount point that it lies below, and the last one there. */
function optionsOfMount(mountinfo: string, path: string): string {
  let found = { point: '', options: '' }
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = before.split(' ')[4]
    if (point === undefined || !`${path}/`.startsWith(point === '/' ? '/' : `${point}/`)) continue
    if (point.length >= found.point.length) found = { point, options: after.split(' ')[2] ?? '' }
  }
  return found.options
}
