import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'berth-console-'))
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '20']
  const names = ['-subj', '/CN=news', '-addext', 'subjectAltName=DNS:news.example.com']
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')]
  execFileSync('openssl', [...request, ...names, ...files], { stdio: 'ignore' })
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(async () => {
  await console_[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

describe('certificates', () => {
  it('says which hosts lack one, takes one from files, warns of its end, and removes it', async () => {
    const page = await console_.enter('/certificates')
    await page.getByRole('button', { name: 'Add one for news.example.com' }).click()
    const dialog = page.getByRole('dialog', { name: 'Add a certificate' })
    await expect.poll(() => dialog.getByLabel('Name').inputValue()).toBe('news-example-com')
    const [certificate, key] = await dialog.locator('input[type=file]').all()
    await certificate?.setInputFiles(join(folder, 'key.pem'))
    await key?.setInputFiles(join(folder, 'key.pem'))
    await dialog.getByRole('button', { name: 'Give to the gateway' }).click()
    await dialog.getByRole('alert').getByText('the certificate is no PEM').waitFor()
    await certificate?.setInputFiles(join(folder, 'certificate.pem'))
    await dialog.getByRole('button', { name: 'Give to the gateway' }).click()
    const row = page.getByRole('row').filter({ hasText: 'news-example-com' })
    await row.getByText('in 19 days').waitFor()
    await row.locator('.status-warn').waitFor()
    expect(await page.content()).not.toContain(readFileSync(join(folder, 'key.pem'), 'utf8').split('\n')[1])
    await expect.poll(() => page.getByText('no certificate has their host').count()).toBe(0)
    await page.getByRole('button', { name: 'Remove news-example-com' }).click()
    const confirmation = page.getByRole('dialog', { name: 'Remove certificate news-example-com?' })
    await confirmation.getByText('browsers will no longer reach them by HTTPS').waitFor()
    await confirmation.getByRole('button', { name: 'Remove' }).click()
    await expect.poll(() => row.count()).toBe(0)
    await page.getByText('no certificate has their host').waitFor()
  })

  it('are among what needs attention when they expire soon', async () => {
    const page = await console_.enter('/apps')
    await page.getByRole('link', { name: 'Replace: ledger.example.com' }).click()
    await page.getByRole('heading', { level: 1, name: 'Certificates' }).waitFor()
  })
})

describe('access tokens', () => {
  it('are shown once, with a name, an owner and a role, and can be revoked', async () => {
    const page = await console_.enter('/tokens')
    await page.getByRole('button', { name: 'Create a token' }).click()
    const form = page.getByRole('dialog', { name: 'Create a token' })
    await form.getByLabel('Name').fill('ci')
    await form.getByLabel(/^viewer/).check()
    await form.getByRole('button', { name: 'Create' }).click()
    await form.getByRole('alert').getByText('there is a token ci already').waitFor()
    await form.getByLabel('Name').fill('ana-laptop')
    await form.getByLabel('Owner').fill('Ana')
    await form.getByRole('button', { name: 'Create' }).click()
    const made = page.getByRole('dialog', { name: 'Token ana-laptop' })
    const token = (await made.locator('code').first().textContent()) ?? ''
    expect(token).toMatch(/^berth_ana-laptop_/)
    await made.getByText(/--fingerprint [0-9a-f]{64}/).waitFor()
    await made.getByRole('button', { name: 'I have kept it' }).click()
    const row = page.getByRole('row').filter({ hasText: 'ana-laptop' })
    await row.getByText('viewer').waitFor()
    await made.waitFor({ state: 'detached' })
    expect(await page.content()).not.toContain(token)
    await page.getByRole('button', { name: 'Revoke ana-laptop' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await expect.poll(() => row.count()).toBe(0)
  })

  it('warn who would log themselves out', async () => {
    const page = await console_.enter('/tokens')
    await page.getByRole('button', { name: 'Revoke dev' }).click()
    await page.getByRole('dialog').getByText('you will be logged out').waitFor()
  })
})

describe('jobs', () => {
  it('runs a job entrypoint and shows its output and its end', async () => {
    const page = await console_.enter('/apps/shop/production/jobs')
    await page.getByRole('button', { name: 'Run migrate' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click()
    await page.waitForURL('**/instances/shop.production.migrate-*')
    await page.locator('.log-tail').getByText('rows moved').first().waitFor()
    await page.locator('.page-title').getByText('Succeeded').waitFor()
    await page.getByRole('link', { name: 'Jobs' }).click()
    await page.getByRole('row').filter({ hasText: 'by dev' }).getByText('Succeeded').first().waitFor()
  })

  it('runs a command, keeps its words apart, says why it failed, and runs it again', async () => {
    const page = await console_.enter('/apps/shop/production/jobs')
    await page.getByRole('button', { name: 'Run a job' }).click()
    const dialog = page.getByRole('dialog', { name: 'Run a job in shop/production' })
    await dialog.getByLabel('Entrypoint').selectOption('web')
    const run = dialog.getByRole('button', { name: 'Run', exact: true })
    await expect.poll(() => run.isDisabled()).toBe(true)
    await dialog.getByLabel('Command').fill("false 'one word")
    await dialog.getByText('A quote is still open').waitFor()
    await dialog.getByLabel('Command').fill("false 'one word'")
    await run.click()
    await page.waitForURL('**/instances/shop.production.web-*')
    await page.locator('.page-title').getByText('Failed').waitFor()
    await page.getByRole('region', { name: 'What is wrong' }).getByText('exited with code 1').waitFor()
    await page.getByRole('link', { name: 'Jobs' }).click()
    const row = page.getByRole('row').filter({ hasText: "false 'one word'" })
    await row.getByText('code 1').waitFor()
    await row.getByRole('button', { name: /^Run again/ }).click()
    await expect.poll(() => dialog.getByLabel('Command').inputValue()).toBe("false 'one word'")
  })
})

describe('what runs by the clock', () => {
  it('shows when, what became of it, and runs it now', async () => {
    const page = await console_.enter('/apps/shop/production/jobs')
    const row = page.getByRole('listitem').filter({ hasText: 'report' }).first()
    await row.getByText('0 3 * * *').waitFor()
    await row.getByText(/next in [56] hours/).waitFor()
    const runs = row.getByRole('list', { name: 'Last runs, the newest first' }).getByRole('listitem')
    await expect.poll(() => runs.count()).toBe(5)
    await row.getByRole('button', { name: 'Run now report' }).click()
    await expect.poll(() => runs.count()).toBe(6)
    await page.getByRole('row').filter({ hasText: 'report-1' }).waitFor()
  })

  it('memory that has to be approved is approved where it is asked for', async () => {
    const page = await console_.enter('/apps/ledger/production')
    await page.getByText('api asks for 16 GiB of memory').waitFor()
    await page.getByRole('button', { name: 'Approve' }).click()
    await expect.poll(() => page.getByText('api asks for 16 GiB of memory').count()).toBe(0)
  })
})

it('drains a node, and takes it back', async () => {
  const page = await console_.enter('/nodes/anchor-1')
  await page.getByRole('button', { name: 'Drain…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Drain anchor-1?' })
  await dialog.getByText('Its 6 instances are replaced on other nodes').waitFor()
  await dialog.getByLabel('At a time').fill('2')
  await dialog.getByRole('button', { name: 'Drain', exact: true }).click()
  await page.getByText('Being drained: 6 instances left').waitFor()
  await page.getByText('Asked for by dev, 2 at a time.').waitFor()
  await page.getByRole('button', { name: 'Take instances again' }).click()
  await expect.poll(() => page.getByText('Being drained').count()).toBe(0)
})

describe('removing', () => {
  it('an environment names what goes and wants its name', async () => {
    const page = await console_.enter('/apps/shop/staging/settings')
    await page.getByRole('button', { name: 'Remove staging' }).click()
    const dialog = page.getByRole('dialog', { name: 'Remove environment shop/staging?' })
    await dialog.getByText('web: 1 running instance').waitFor()
    await dialog.getByText('https://staging.shop.example.com/').waitFor()
    const remove = dialog.getByRole('button', { name: 'Remove staging' })
    await dialog.getByLabel('Type staging to confirm').fill('shop')
    await expect.poll(() => remove.isDisabled()).toBe(true)
    await dialog.getByLabel('Type staging to confirm').fill('staging')
    await remove.click()
    await page.waitForURL('**/apps/shop')
    await expect.poll(() => page.getByRole('link', { name: 'staging', exact: true }).count()).toBe(0)
    await page.getByRole('link', { name: 'production', exact: true }).waitFor()
  })

  it('an app names its environments, instances, releases and secrets', async () => {
    const page = await console_.enter('/apps/ledger/-/settings')
    await page.getByRole('button', { name: 'Remove ledger' }).click()
    const dialog = page.getByRole('dialog', { name: 'Remove app ledger?' })
    await dialog.getByText('1 environment: production').waitFor()
    await dialog.getByText('2 running instances').waitFor()
    await dialog.getByText(/3 releases, all builds and rollouts, 0 secrets/).waitFor()
    await dialog.getByLabel('Type ledger to confirm').fill('ledger')
    console_.mock.simulation.held = true
    await page.keyboard.press('Enter')
    await page.waitForURL('**/apps')
    await page.getByText('being removed', { exact: true }).waitFor()
    console_.mock.simulation.held = false
    await expect.poll(() => page.getByRole('link', { name: 'ledger', exact: true }).count()).toBe(0)
  })

  it('a node that still runs something is refused, and why is said in the dialog', async () => {
    const page = await console_.enter('/nodes/anchor-1')
    await page.getByRole('button', { name: 'Remove node' }).click()
    const dialog = page.getByRole('dialog', { name: 'Remove node anchor-1?' })
    await dialog.getByText('It still has 6 instances').waitFor()
    await dialog.getByLabel('Type anchor-1 to confirm').fill('anchor-1')
    await dialog.getByRole('button', { name: 'Remove node' }).click()
    await dialog.getByRole('alert').getByText('6 instances are assigned to it').waitFor()
  })
})

it('edits the labels of a node', async () => {
  const page = await console_.enter('/nodes/anchor-2')
  await page.getByRole('button', { name: 'Edit labels' }).click()
  const dialog = page.getByRole('dialog', { name: 'Labels of anchor-2' })
  await dialog.getByRole('button', { name: 'Remove label disk' }).click()
  await dialog.getByRole('button', { name: 'Another label' }).click()
  await dialog.getByLabel('Label 2', { exact: true }).fill('zone')
  await dialog.getByText('zone is there twice.').waitFor()
  await dialog.getByLabel('Label 2', { exact: true }).fill('gpu')
  await dialog.getByLabel('Value 2', { exact: true }).fill('a100')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByText('gpu=a100').waitFor()
  await expect.poll(() => page.getByText('disk=nvme').count()).toBe(0)
})

it('registers an app by its repository and goes on to its first deploy', async () => {
  const page = await console_.enter('/apps')
  await page.getByRole('button', { name: 'New app' }).click()
  const dialog = page.getByRole('dialog', { name: 'New app' })
  await dialog.getByLabel('Repository').fill('https://git.example.com/acme/Price_List.git')
  await expect.poll(() => dialog.getByLabel('Name').inputValue()).toBe('price-list')
  await dialog.getByRole('button', { name: 'Create and deploy…' }).click()
  await page.waitForURL('**/apps/price-list**')
  await page.getByRole('dialog', { name: 'Deploy price-list' }).waitFor()
})

it('builds a commit without rolling it out', async () => {
  const page = await console_.enter('/apps/shop/-/builds')
  await page.getByRole('button', { name: 'Build a commit' }).click()
  const dialog = page.getByRole('dialog', { name: 'Build shop' })
  await dialog.getByLabel('Branch, tag or commit').fill('main')
  await dialog.getByRole('button', { name: 'Build', exact: true }).click()
  await page.waitForURL('**/builds/b-new*')
  await page.locator('.page-title').getByText('Succeeded').waitFor()
  await expect.poll(() => page.getByText('Then deploys to').count()).toBe(0)
})

it('runs another command in a terminal', async () => {
  const page = await console_.enter('/instances/shop.production.web-1/terminal')
  await page.getByRole('status').getByText('Connected').waitFor()
  const asked: string[] = []
  page.on('websocket', (socket) => asked.push(socket.url()))
  await page.getByRole('textbox', { name: 'Command' }).fill("psql -c 'select 1'")
  await page.keyboard.press('Enter')
  await expect.poll(() => asked.length).toBe(1)
  expect(new URL(asked[0] ?? '').searchParams.getAll('command')).toEqual(['psql', '-c', 'select 1'])
})
