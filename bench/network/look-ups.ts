import { type Place, runAt } from './place.ts'

/** Connecting a UDP socket sends nothing: the kernel looks the route up, and that is all. */
const program = `
  my ($base, $routes, $count) = @ARGV;
  socket(my $s, PF_INET, SOCK_DGRAM, 0) or die $!;
  my @to = map { pack_sockaddr_in(9, pack("N", $base + int rand $routes)) } 1..65_536;
  my $from = time;
  for (1..$count) { connect($s, $to[$_ & 65_535]) or die $! }
  print $count / (time - $from);`

/** Look-ups a second, each of a random one of so many addresses in a row. */
export async function lookUpsPerSecond(place: Place, base: number, routes: number, count: number): Promise<number> {
  const perl = ['perl', '-MSocket', '-MTime::HiRes=time', '-e', program, String(base), String(routes), String(count)]
  return Number(await runAt(place, perl))
}
