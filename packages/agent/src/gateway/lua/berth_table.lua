-- The table that this worker routes by, made from the text that the agent sends (see table-text.ts): a line of JSON each for the
-- header, every route and every certificate. A line that was there before keeps its object, with its place in the schedule, its
-- counters and its parsed certificate, so that one change among a thousand routes costs one route.
local cjson = require 'cjson.safe'
local routes = require 'berth_route'

local find, sub, byte, lower = string.find, string.sub, string.byte, string.lower
local insert, concat = table.insert, table.concat

local MAX_SITES = 8192
local MAX_HOST_LENGTH = 253
local SLASH = byte('/')

-- `member_count`: of the table in force, one instance in two routes twice.
local table_ = { DEFAULT_TRIES = routes.DEFAULT_TRIES, nobody = routes.nobody, peers = routes.peers, member_count = 0 }

local peers, new_route = routes.peers, routes.new

local function new_certificate(spec)
  return { hosts = spec.hosts, certificate_pem = spec.certificatePem, key_pem = spec.keyPem }
end

local function decode(line)
  local value, reason = cjson.decode(line)
  if type(value) ~= 'table' then error('a line is no JSON object: ' .. tostring(reason), 0) end
  return value
end

local function depth_of(path)
  local _, depth = path:gsub('/', '')
  return path == '/' and 0 or depth
end

local function add_route(state, route, line)
  local level = state.hosts[route.host]
  if not level then
    level = { by_path = {}, depth = 0 }
    state.hosts[route.host] = level
  end
  level.by_path[route.path] = route
  level.depth = math.max(level.depth, depth_of(route.path))
  state.routes[route.id], state.line_of[route] = route, line
  state.by_line[line] = route
  state.count = state.count + 1
end

-- Levels keep their depth: a look-up may look at a segment too many.
local function remove_route(state, route)
  local level = state.hosts[route.host]
  if level and level.by_path[route.path] == route then
    level.by_path[route.path] = nil
    if next(level.by_path) == nil then state.hosts[route.host] = nil end
  end
  state.by_line[state.line_of[route]] = nil
  state.routes[route.id], state.line_of[route] = nil, nil
  state.count = state.count - 1
end

-- `lines`: one for each certificate. Those that were there before stay the objects that they were.
local function set_certificates(state, lines, before)
  state.certificates, state.certificate_lines = {}, lines
  for _, line in ipairs(lines) do
    local certificate = before[line] or new_certificate(decode(sub(line, 2)))
    state.by_line[line] = certificate
    for _, host in ipairs(certificate.hosts) do state.certificates[host] = certificate end
  end
end

-- The header of a text, the lines of its routes, and those of its certificates.
local function split(text)
  local stop = assert(find(text, '\n', 1, true), 'no header')
  local header = decode(sub(text, 1, stop - 1))
  if header.format ~= 1 then error('format ' .. tostring(header.format) .. ' is not known', 0) end
  local routes, certificates = {}, {}
  local start = stop + 1
  while start <= #text do
    stop = assert(find(text, '\n', start, true), 'the last line is cut off')
    local kind = byte(text, start)
    if kind ~= 82 and kind ~= 67 then error('a line of unknown kind', 0) end
    insert(kind == 82 and routes or certificates, sub(text, start, stop - 1))
    start = stop + 1
  end
  return header, routes, certificates
end

local function build(text, previous)
  local header, routes, certificates = split(text)
  local state = table_.empty()
  state.version, state.kept = header.version, header.kept
  for _, line in ipairs(routes) do
    add_route(state, previous.by_line[line] or new_route(decode(sub(line, 2))), line)
  end
  set_certificates(state, certificates, previous.by_line)
  if #routes ~= header.routes then error('routes are missing', 0) end
  return state
end

-- What `text` changes of a table, read and not yet done.
local function read_changes(text, state)
  local header, lines, certificates = split(text)
  if header.base ~= state.version then error('these are changes of another table', 0) end
  local put = {}
  for _, line in ipairs(lines) do insert(put, { line = line, route = new_route(decode(sub(line, 2))) }) end
  if header.certificates then
    for _, line in ipairs(certificates) do decode(sub(line, 2)) end
  end
  return { header = header, put = put, certificates = header.certificates and certificates }
end

function table_.empty()
  return {
    version = 0, kept = {}, hosts = {}, routes = {}, count = 0, line_of = {}, by_line = {},
    certificates = {}, certificate_lines = {}, sites = {}, site_count = 0,
  }
end

-- A state from `text`, or nil and what is wrong with it.
function table_.parse(text, previous)
  local ok, state = pcall(build, text, previous)
  if ok then return state end
  return nil, tostring(state)
end

-- The text that a state was made of, whatever has changed of it since.
function table_.text(state)
  -- An empty list would become an object.
  local kept = #state.kept == 0 and '[]' or cjson.encode(state.kept)
  local lines = { ('{"format":1,"version":%d,"routes":%d,"kept":%s}'):format(state.version, state.count, kept) }
  for _, route in pairs(state.routes) do insert(lines, state.line_of[route]) end
  for _, line in ipairs(state.certificate_lines) do insert(lines, line) end
  insert(lines, '')
  return concat(lines, '\n')
end

-- What `text` changes of `state`, or nil and what is wrong with it; `table_.change` does it.
function table_.read_changes(text, state)
  local ok, changes = pcall(read_changes, text, state)
  if ok then return changes end
  return nil, tostring(changes)
end

-- Lets workers begin at different places of the schedules, so that they do not all send their first requests to the same members.
function table_.spread(state, share)
  for _, route in pairs(state.routes) do route.turn = math.floor(share * route.turns) end
end

-- By the id of a route with a slow start: the peers that it had.
local had = {}

-- A member that comes to others which serve begins with less than its share.
local function begin_slowly(route, before, now)
  local present = {}
  for _, peer in ipairs(route.schedule) do
    if before and next(before) and not before[peer] then peer.ramp_from, peer.ramp = now, 0 end
    present[peer] = true
  end
  return present
end

local function retire(route, now)
  had[route.id] = nil
  table_.member_count = table_.member_count - #route.members
  for _, peer in ipairs(route.members) do peer.retired_at = peer.retired_at or now end
end

-- `before`: the peers that the route had, if it had a slow start.
local function employ(route, before, now)
  if route.slow_start then had[route.id] = begin_slowly(route, before, now) end
  table_.member_count = table_.member_count + #route.members
  for _, peer in ipairs(route.members) do
    peer.route, peer.retired_at = route, nil
  end
end

-- `state` is in force from `now` on: peers that it does not have are retired.
function table_.adopt(state, now)
  for _, peer in pairs(peers) do peer.retired_at = peer.retired_at or now end
  local before = had
  had, table_.member_count = {}, 0
  for _, route in pairs(state.routes) do employ(route, before[route.id], now) end
end

-- `changes` are in force from `now` on, without a look at any other route.
function table_.change(state, changes, now)
  local header = changes.header
  for _, id in ipairs(header.gone) do
    local route = state.routes[id]
    if route then
      remove_route(state, route)
      retire(route, now)
    end
  end
  for _, each in ipairs(changes.put) do
    local known = state.routes[each.route.id]
    local before = had[each.route.id]
    if known then
      remove_route(state, known)
      retire(known, now)
    end
    add_route(state, each.route, each.line)
    employ(each.route, before, now)
  end
  if changes.certificates then
    local before = {}
    for _, line in ipairs(state.certificate_lines) do
      before[line], state.by_line[line] = state.by_line[line], nil
    end
    set_certificates(state, changes.certificates, before)
  end
  state.version, state.kept = header.version, header.kept
  -- They hold routes.
  state.sites, state.site_count = {}, 0
end

-- Forgets peers that were retired `linger` seconds ago and serve nothing any more: their last requests have been counted and seen.
function table_.forget_retired(now, linger)
  for key, peer in pairs(peers) do
    if peer.retired_at and peer.inflight == 0 and now - peer.retired_at >= linger then peers[key] = nil end
  end
end

-- The levels that may answer for a host: itself, each `*.suffix` from the longest, `*`.
local function levels_of(state, host)
  local levels = {}
  local function add(name)
    local level = state.hosts[name]
    if level then insert(levels, level) end
  end
  if #host <= MAX_HOST_LENGTH then
    add(host)
    local dot = find(host, '.', 1, true)
    while dot do
      add('*' .. sub(host, dot))
      dot = find(host, '.', dot + 1, true)
    end
  end
  add('*')
  return levels
end

-- Names that clients make up must not fill the memory: the cache starts anew when it is full.
function table_.site(state, host)
  local levels = levels_of(state, host)
  local first = levels[1]
  local site = { levels = levels, root = first and first.depth == 0 and first.by_path['/'] or nil }
  if state.site_count >= MAX_SITES then
    state.sites, state.site_count = {}, 0
  end
  state.sites[host] = site
  state.site_count = state.site_count + 1
  return site
end

-- The longest path of the level that is `uri` or a folder above it. It looks at no more segments than the level's deepest path has.
local function longest(level, uri)
  local best = level.by_path['/']
  local from = 2
  for _ = 1, level.depth do
    local slash = find(uri, '/', from, true)
    local route = level.by_path[slash and sub(uri, 1, slash - 1) or uri]
    if route then best = route end
    if not slash then break end
    from = slash + 1
  end
  return best
end

function table_.find(site, uri)
  if byte(uri) ~= SLASH then return nil end
  for _, level in ipairs(site.levels) do
    local route = longest(level, uri)
    if route then return route end
  end
  return nil
end

-- In TLS a wildcard stands for one label.
function table_.certificate(state, name)
  name = lower(name)
  local exact = state.certificates[name]
  if exact then return exact end
  local dot = find(name, '.', 1, true)
  return dot and state.certificates['*' .. sub(name, dot)]
end

return table_
