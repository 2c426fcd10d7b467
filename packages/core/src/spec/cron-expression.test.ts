import { describe, expect, it } from 'vitest'
import { parseCron } from './cron-expression.ts'

describe('is read', () => {
  it.each([
    ['0 3 * * *', '0 3 * * *'],
    ['  */5   8-18 * JAN-mar  mon,FRI ', '*/5 8-18 * jan-mar mon,fri'],
    ['0 0 1,15 * 7', '0 0 1,15 * 7'],
    ['0-58/2 * * * *', '0-58/2 * * * *'],
    ['0 0 29 2 *', '0 0 29 2 *'],
    ['0 0 31 2 mon', '0 0 31 2 mon'],
    ['@daily', '0 0 * * *'],
    ['@Weekly', '0 0 * * 0'],
  ])('%s', (text, expected) => expect(parseCron(text)).toEqual({ ok: true, value: expected }))
})

describe('is refused', () => {
  it.each([
    ['', 'has 0 fields instead of five', 'write minute, hour'],
    ['0 3 * *', 'has 4 fields', 'write minute, hour'],
    ['0 0 3 * * *', 'has 6 fields', 'leave out the seconds: 0 3 * * *'],
    ['60 * * * *', '"60" is no minute: 0 to 59', ''],
    ['* 24 * * *', '"24" is no hour: 0 to 23', ''],
    ['* * 0 * *', '"0" is no day of the month: 1 to 31', ''],
    ['* * * 13 *', '"13" is no month: 1 to 12, or jan to dec', ''],
    ['* * * * 8', '"8" is no day of the week', ''],
    ['* * l * *', 'only lists, ranges and steps are known here', ''],
    ['* * * * fri#2', 'only lists, ranges and steps are known here', ''],
    ['5/10 * * * *', 'a step needs a range', 'write 5-59/10 or */10'],
    ['*/0 * * * *', 'a step of a minute is a whole number from 1 to 59', ''],
    ['* * * * */8', 'a step of a day of the week is a whole number from 1 to 7', ''],
    ['* 22-6 * * *', 'a range goes upwards', 'write 22-23,0-6'],
    ['1,,2 * * * *', '"" is no minute', ''],
    ['1-2-3 * * * *', '"1-2-3" is no minute', ''],
    ['0 0 30 2 *', 'there is no day 30 in the months 2: it would never run', ''],
    ['0 0 31 4,6,9,11 *', 'there is no day 31', ''],
    ['@reboot', 'there is no schedule called "@reboot"', '@daily'],
    ['-1 * * * *', 'is no minute', ''],
  ])('%s', (text, message, suggestion) => {
    const result = parseCron(text)
    expect(result).toMatchObject({ ok: false, message: expect.stringContaining(message) })
    expect(!result.ok && (result.suggestion ?? '')).toContain(suggestion)
  })
})
