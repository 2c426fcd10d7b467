import type { AcmeView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { readText } from '../files.ts'
import { formatAge } from '../output/format.ts'
import { type ListingView, printListing } from '../output/print.ts'
import { action } from './command.ts'

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory'

interface OnOptions {
  readonly directory: string
  readonly email?: string
  readonly ca?: string
  readonly agreeTerms?: boolean
}

/** Certificates that the server obtains by itself. */
export function registerCertAcme(certificate: Command): void {
  const acme = certificate.command('acme').summary('certificates that are obtained and renewed by themselves (ACME)')
  acme
    .command('on')
    .summary('obtain one for every host of a route with TLS that has none')
    .option('--directory <url>', 'of the authority', letsEncrypt)
    .option('--email <address>', 'whom the authority may write to')
    .option(
      '--ca <file>',
      'PEM of the authority that the directory’s own certificate is of, if it is none of the usual ones',
    )
    .option('--agree-terms', 'you have read and accept the terms of service of the authority')
    .action(
      action<OnOptions>(async ({ client, out, signal }, _, { directory, email, ca, agreeTerms }) => {
        if (agreeTerms !== true)
          throw new BerthError(
            'usage.terms',
            `obtain certificates from ${directory}: read its terms of service, and say --agree-terms`,
          )
        const body = {
          ...{ directoryUrl: directory, termsOfServiceAgreed: true as const },
          ...(email === undefined ? {} : { email }),
          ...(ca === undefined ? {} : { caPem: readText(ca) }),
        }
        const { hosts } = await client.call('setAcme', { body }, { signal })
        const due = hosts.filter(({ state }) => state === 'due').length
        out.note(`certificates are obtained from ${directory}; ${due} due now (berth cert acme status)`)
      }),
    )
  acme
    .command('off')
    .summary('obtain and renew none any more; those that there are stay')
    .action(
      action(async ({ client, out, signal, confirm }) => {
        await confirm('Renew no certificates any more? They run out, the first within weeks.')
        await client.call('removeAcme', {}, { signal })
        out.note('certificates are not obtained any more')
      }),
    )
  acme
    .command('status')
    .summary('how it stands with each host')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { directoryUrl, hosts } = await client.call('getAcme', {}, { signal })
        await printListing(hosts, acmeListing(Date.now()), form, out)
        if (directoryUrl === undefined) out.note('certificates are not obtained; see: berth cert acme on --help')
      }),
    )
}

type Host = AcmeView['hosts'][number]

const states: Readonly<Record<Host['state'], string>> = {
  own: 'given by hand',
  held: 'obtained',
  due: 'is being obtained',
  waits: 'failed',
  cannot: 'cannot be obtained: a wildcard, an address or a name of one label',
}

export const acmeListing = (now: number): ListingView<Host> => ({
  headers: ['host', 'certificate', 'valid for', 'next', 'why'],
  row: ({ host, state, notAfter, nextAt, message }) => [
    host,
    states[state],
    notAfter === undefined ? '-' : formatAge(notAfter - now),
    nextAt === undefined ? '-' : `in ${formatAge(nextAt - now)}`,
    message ?? '',
  ],
  name: ({ host }) => host,
  empty: 'no route is served with TLS',
})
