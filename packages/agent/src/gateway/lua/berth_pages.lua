-- What the gateway itself answers: redirects and short error pages. They name nothing of the inside of a cluster.
local detour = require 'berth_detour'

local pages = {}

local reasons = {
  unknown = { 404, 'Not found', 'No service is published at this address.' },
  empty = { 503, 'Service unavailable', 'The service at this address has no running instance at the moment.' },
  limited = { 429, 'Too many requests', 'There were more requests than this service accepts. Try again in a moment.' },
  maintenance = { 503, 'Maintenance', 'The service at this address is being worked on. Please come back later.' },
  ['too-large'] = { 413, 'Content too large', 'The request body is larger than this service accepts.' },
  ['grpc-only'] = { 415, 'Unsupported media type', 'Only gRPC is served at this address.' },
  [502] = { 502, 'Bad gateway', 'The service at this address did not answer.' },
  [504] = { 504, 'Gateway timeout', 'The service at this address did not answer in time.' },
}

local html = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' ..
  '<title>%d %s</title><style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem;' ..
  'color:#1f2933}@media(prefers-color-scheme:dark){body{background:#14181d;color:#e4e7eb}}h1{font-size:1.4rem}' ..
  'p.by{color:#7b8794;font-size:.85rem}</style><h1>%d %s</h1><p>%s</p><p class="by">Berth gateway</p></html>\n'

local function answer(content_type, text)
  ngx.header['Content-Type'] = content_type .. '; charset=utf-8'
  ngx.header['Content-Length'] = #text
  ngx.print(text)
  return ngx.exit(ngx.HTTP_OK)
end

local function show(reason)
  local status, title, text = reason[1], reason[2], reason[3]
  ngx.status = status
  ngx.header['Cache-Control'] = 'no-store'
  if status == 503 or status == 429 then ngx.header['Retry-After'] = '1' end
  if (ngx.var.http_accept or ''):find('text/html', 1, true) then
    return answer('text/html', html:format(status, title, status, title, text))
  end
  return answer('text/plain', ('berth: %d %s: %s\n'):format(status, title:lower(), text))
end

-- The page that was given for the time of maintenance; the gateway's own where there is none.
local function show_maintenance(page)
  if page == '' then return show(reasons.maintenance) end
  ngx.status = 503
  ngx.header['Cache-Control'] = 'no-store'
  ngx.header['Retry-After'] = '60'
  return answer(page:find('^%s*<') and 'text/html' or 'text/plain', page)
end

local function redirect(https_port)
  local port = https_port == 443 and '' or ':' .. https_port
  ngx.header['Location'] = 'https://' .. ngx.var.host .. port .. ngx.var.request_uri
  ngx.status = 308
  return answer('text/plain', 'berth: 308 permanent redirect to https\n')
end

-- rewrite_by_lua of the location for the unusual: answers, or lets the request go on to `proxy_pass` with the path it is to have.
function pages.unusual(https_port)
  local what, route = detour.take_pending()
  if what == 'forward' then
    ngx.var.berth_path = detour.path_for(route)
    if route.again then return ngx.exec(route.again) end
    return
  end
  if what == 'redirect' then return redirect(https_port) end
  if what == 'answer' then return answer('text/plain', route.answer) end
  if what == 'maintenance' then return show_maintenance(route.maintenance) end
  if what == 'empty' and route.empty_page then return show_maintenance(route.empty_page) end
  return show(reasons[what] or reasons[502])
end

-- content_by_lua for a request that no member answered.
function pages.unanswered()
  return show(reasons[detour.why_unanswered() or ngx.status] or reasons[502])
end

return pages
