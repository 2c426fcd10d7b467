import { createLab, type LabHost } from '../../packages/lab/src/index.ts'
import { type Place, runAt } from './place.ts'

export interface BarePlaces extends AsyncDisposable {
  readonly places: readonly Place[]
}

/** A network namespace behind a link and a route on each of two hosts, with neither Docker nor Berth nor a rule: the least that such a way costs this kernel. */
export async function startBarePlaces(signal: AbortSignal): Promise<BarePlaces> {
  const lab = await createLab({ hosts: [{ startDockerd: false }, { startDockerd: false }], signal })
  try {
    const addresses = lab.hosts.map((_, index) => lab.containerPool.replace('.0.0/16', `.${index + 1}.2`))
    return {
      places: await Promise.all(
        lab.hosts.map(async (host, index) => {
          const address = addresses[index] ?? ''
          const other = 1 - index
          return await startPlace(host, address, `${addresses[other]} via ${lab.hosts[other]?.address}`)
        }),
      ),
      [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
    }
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function startPlace(host: LabHost, address: string, otherRoute: string): Promise<Place> {
  const atHost = { host, address: host.address }
  const holder = 'unshare --net sleep 86400 < /dev/null > /dev/null 2>&1 & echo $!'
  const pid = Number(await runAt(atHost, ['sh', '-c', holder]))
  const inside = `nsenter --target=${pid} --net --`
  const script = [
    'ip link add bare0 type veth peer name bare1',
    `ip link set bare1 netns ${pid}`,
    'ip link set bare0 up',
    `ip route add ${address} dev bare0`,
    'ip address add 169.254.1.1/32 dev bare0 scope link',
    `ip route add ${otherRoute}`,
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    `${inside} ip link set lo up`,
    `${inside} ip address add ${address}/32 dev bare1`,
    `${inside} ip link set bare1 up`,
    `${inside} ip route add default via 169.254.1.1 dev bare1 onlink`,
  ].join(' && ')
  await runAt(atHost, ['sh', '-c', `sleep 0.5 && ${script}`])
  return { host, address, pid }
}
