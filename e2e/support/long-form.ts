/** `./test --long`: what takes a minute and more is done as well, and everything in its full size. */
export const isLongForm = process.env.BERTH_TEST_LONG === '1'
