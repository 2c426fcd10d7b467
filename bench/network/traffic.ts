import { until } from '../../e2e/support/load.ts'
import { type Place, runAt, startAt } from './place.ts'
import { processorMs } from './processor-time.ts'

const streamPort = 5201
const answerPort = 5301
const connectPort = 5401

/** From a sender to a receiver. */
export interface Path {
  readonly from: Place
  readonly to: Place
}

/**
 * Each end has a processor of its own, as two machines have. Left to the scheduler, both sometimes share one, and a stream is then several times as slow
 * or as fast as the one before, whatever way its packets go.
 */
const at = (processor: 0 | 1, argv: readonly string[]): readonly string[] => [
  'taskset',
  '--cpu-list',
  String(processor),
  ...argv,
]

/** iperf3's and sockperf's own other ends, at the receiver of a path, until its lab ends. */
export async function startReceivers({ to }: Path): Promise<void> {
  await startAt(to, at(1, ['iperf3', '--server', '--bind', to.address, '--port', String(streamPort)]))
  await startAt(to, at(1, ['sockperf', 'server', '--tcp', '--ip', to.address, '--port', String(answerPort)]))
  for (const port of [streamPort, answerPort])
    await until(`a listener at ${to.address}:${port}`, async () => {
      return (await runAt(to, ['ss', '-Hltn', `sport = :${port}`])) !== ''
    })
}

interface StreamReport {
  readonly end: {
    readonly sum_received: { readonly bytes: number; readonly bits_per_second: number }
    readonly sum?: { readonly packets: number; readonly lost_packets: number; readonly seconds: number }
    readonly cpu_utilization_percent: { readonly host_total: number; readonly remote_total: number }
  }
}

export interface Stream {
  readonly gigabitsPerSecond: number
  /** Of the whole machine for each gigabit, milliseconds. */
  readonly processorMsPerGigabit: number
}

/** One TCP connection that sends as fast as it can, in messages of so many bytes. */
export async function stream({ from, to }: Path, messageBytes: number, seconds: number): Promise<Stream> {
  const argv = ['iperf3', '--client', to.address, '--port', String(streamPort), '--json']
  const before = processorMs()
  const printed = await runAt(from, at(0, [...argv, '--length', String(messageBytes), '--time', String(seconds)]))
  const spentMs = processorMs() - before
  const { bytes, bits_per_second: bitsPerSecond } = (JSON.parse(printed) as StreamReport).end.sum_received
  return { gigabitsPerSecond: bitsPerSecond / 1e9, processorMsPerGigabit: (spentMs * 1e9) / (bytes * 8) }
}

/** The least that sockperf sends: its own header. */
export const questionBytes = 14

/** Median time of a question of a few bytes and its answer by TCP, microseconds. */
export async function roundTripUs({ from, to }: Path, seconds: number): Promise<number> {
  const options = ['--tcp', '--ip', to.address, '--port', String(answerPort), '--msg-size', String(questionBytes)]
  const printed = await runAt(
    from,
    at(0, ['sockperf', 'ping-pong', ...options, '--full-rtt', '--time', String(seconds)]),
  )
  const found = /percentile 50\.000\s*=\s*([\d.]+)/.exec(printed)?.[1]
  if (found === undefined) throw new Error(`sockperf told no median:\n${printed}`)
  return Number(found)
}

const packetsPerSecond = 40_000
const packetBytes = 64

/**
 * Processor time for each packet of one UDP flow that no end is at its limit with: what both ends used, by their own count. Mostly a packet goes all its way
 * in its sender's time, so what else the machine does is not in it.
 */
export async function packetUs({ from, to }: Path, seconds: number): Promise<number> {
  const rate = ['--bitrate', String(packetsPerSecond * packetBytes * 8), '--length', String(packetBytes)]
  const argv = ['iperf3', '--client', to.address, '--port', String(streamPort), '--json', '--udp', ...rate]
  const printed = await runAt(from, [...argv, '--time', String(seconds)])
  const { sum, cpu_utilization_percent: used } = (JSON.parse(printed) as StreamReport).end
  if (sum === undefined) throw new Error(`iperf3 told no packets:\n${printed}`)
  const spentUs = ((used.host_total + used.remote_total) / 100) * sum.seconds * 1e6
  return spentUs / (sum.packets - sum.lost_packets)
}

const listener = `
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
  bind($s, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) && listen($s, 4096) or die $!;
  while (accept(my $c, $s)) { close $c }`

/** It goes away without a word, so that no port waits for what is late. */
const connector = `
  my $to = sockaddr_in($ARGV[1], inet_aton($ARGV[0]));
  my $from = time;
  for (1..$ARGV[2]) {
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
    setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die $!;
    connect($s, $to) or die $!;
    close $s;
  }
  print +(time - $from) * 1e6 / $ARGV[2];`

const perl = (program: string): string[] => ['perl', '-MSocket', '-MTime::HiRes=time', '-e', program]

/** Perl is in every Debian, and faster to connect than Node.js. */
export async function startConnectable({ from, to }: Path): Promise<void> {
  await startAt(to, [...perl(listener), to.address, String(connectPort)])
  await until(`port ${connectPort} of ${to.address} to answer`, () => connectUs({ from, to }, 1).then(() => true))
}

/** Time until a TCP connection stands, one after the other. */
export const connectUs = async ({ from, to }: Path, count: number): Promise<number> =>
  Number(await runAt(from, [...perl(connector), to.address, String(connectPort), String(count)]))
