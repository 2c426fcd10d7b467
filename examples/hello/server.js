import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { about, onStop, say } from './about.js'

const page = readFileSync(new URL('page.html', import.meta.url), 'utf8')
/** A stream that never ended would hold up every rollout until its drain time is over. Browsers come back by themselves. */
const longestStreamMs = 10_000
const longestWaitMs = 30_000

let requests = 0
let stopping = false
/** Ends of the streams that are open. */
const streams = new Set()

const me = () => ({ ...about, requests, upSeconds: Math.floor(process.uptime()) })

const routes = {
  '/': (_url, response) => {
    const data = JSON.stringify(me()).replaceAll('<', '\\u003c')
    send(
      response,
      200,
      'text/html; charset=utf-8',
      page.replace('{"placeholder":true}', () => data),
    )
  },
  '/whoami': (_url, response) => {
    requests += 1
    send(response, 200, 'application/json', JSON.stringify(me()))
  },
  '/healthz': (_url, response) => send(response, stopping ? 503 : 200, 'text/plain', stopping ? 'stopping\n' : 'ok\n'),
  '/tick': (_url, response) => tick(response),
  // To see that a rollout waits for what is under way: curl 'http://…/slow?ms=8000'
  '/slow': (url, response) => {
    const waitMs = Math.min(Number(url.searchParams.get('ms') ?? 5000) || 0, longestWaitMs)
    setTimeout(() => send(response, 200, 'text/plain', `${about.name} took ${waitMs} ms\n`), waitMs)
  },
}

const server = createServer((request, response) => {
  // A connection that was busy when the server closed is kept for more requests unless somebody ends it.
  response.on('close', () => stopping && setImmediate(() => server.closeIdleConnections()))
  const url = new URL(request.url ?? '/', 'http://hello')
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'GET only\n')
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
  if (route === undefined) return send(response, 404, 'text/plain', `there is no ${url.pathname} here\n`)
  route(url, response)
})

function send(response, status, type, body) {
  const close = stopping ? { Connection: 'close' } : {}
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...close })
  response.end(body)
}

/** One server-sent event a second. */
function tick(response) {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  const write = () =>
    response.write(`data: ${JSON.stringify({ ...me(), memoryUsedBytes: process.memoryUsage.rss() })}\n\n`)
  response.write('retry: 200\n')
  write()
  const timer = setInterval(write, 1000)
  const end = () => response.end()
  const limit = setTimeout(end, longestStreamMs)
  streams.add(end)
  response.on('close', () => {
    clearInterval(timer)
    clearTimeout(limit)
    streams.delete(end)
  })
}

// Longer than the gateway keeps idle connections, so that none is closed just when a request is sent on it.
server.keepAliveTimeout = 75_000

server.listen(Number(process.env.PORT ?? 8080), () => {
  say(`${about.instance} (${about.release}, ${about.commit}) listens on port ${server.address().port}`)
})

onStop((signal) => {
  say(`${signal}: no new connections, ${streams.size} streams end, requests under way are finished`)
  stopping = true
  server.close(() => say(`done after ${requests} requests`))
  for (const end of streams) end()
})
