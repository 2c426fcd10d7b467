-- Members of services in nginx (OpenResty, or Debian's nginx with libnginx-mod-http-lua), without reloads: Berth's broadcast by Redis says that
-- something has changed, Consul's API says what there is now. What was known last goes on where neither can be reached.
local cjson = require "cjson.safe"

local M = {}
local members = ngx.shared.members
local settings

-- How long without a word until it looks by itself, and until it connects again.
local quiet_ms, retry_s = 10000, 1

local function get(path)
  local socket = ngx.socket.tcp()
  socket:settimeouts(2000, 2000, 10000)
  local ok, problem = socket:connect(settings.consul_host, settings.consul_port)
  if not ok then return nil, problem end
  local token = settings.token and ("X-Consul-Token: " .. settings.token .. "\r\n") or ""
  socket:send("GET " .. path .. " HTTP/1.0\r\nHost: berth\r\n" .. token .. "\r\n")
  local answer
  answer, problem = socket:receive("*a")
  socket:close()
  if not answer then return nil, problem end
  local status, body = answer:match("^HTTP/1%.%d (%d+).-\r\n\r\n(.*)$")
  if status ~= "200" then return nil, "status " .. tostring(status) end
  return body
end

-- A service that has nobody left keeps its last members: an error of theirs says more than none.
local function pull(service)
  local body, problem = get("/v1/kv/upstreams/" .. service .. "/?recurse")
  if not body then return nil, problem end
  local list = {}
  for _, key in ipairs(cjson.decode(body) or {}) do
    local value = cjson.decode(ngx.decode_base64(key.Value) or "")
    if value and value.down == 0 then list[#list + 1] = key.Key:match("[^/]+$") end
  end
  if #list == 0 then return nil, "nobody takes requests" end
  members:set(service, table.concat(list, " "))
  return true
end

local function pull_all()
  for _, service in ipairs(settings.services) do
    local ok, problem = pull(service)
    if not ok then ngx.log(ngx.WARN, "members of ", service, " stay as they were: ", problem) end
  end
end

-- One value of Redis's protocol.
local function read_reply(socket)
  local line, problem = socket:receive("*l")
  if not line then return nil, problem end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "-" then return nil, rest end
  if kind == "$" then
    local text
    text, problem = socket:receive(tonumber(rest) + 2)
    return text and text:sub(1, -3), problem
  end
  if kind ~= "*" then return rest end
  local values = {}
  for place = 1, tonumber(rest) do
    values[place], problem = read_reply(socket)
    if not values[place] then return nil, problem end
  end
  return values
end

local function listen()
  local socket = ngx.socket.tcp()
  socket:settimeouts(2000, 2000, quiet_ms)
  local ok, problem = socket:connect(settings.redis_host, settings.redis_port)
  if not ok then return problem end
  if settings.redis_password then
    socket:send("AUTH " .. settings.redis_password .. "\r\n")
    ok, problem = read_reply(socket)
    if not ok then return problem end
  end
  socket:send("SUBSCRIBE " .. settings.channel .. "\r\n")
  ok, problem = read_reply(socket)
  if not ok then return problem end
  -- What came before it listened.
  pull_all()
  while not ngx.worker.exiting() do
    local message
    message, problem = read_reply(socket)
    if not message and problem ~= "timeout" then return problem end
    pull_all()
  end
  socket:close()
end

local function run(premature)
  if premature or ngx.worker.exiting() then return end
  local problem = listen()
  if problem then
    ngx.log(ngx.WARN, "the broadcast is not heard: ", problem)
    pull_all()
  end
  ngx.timer.at(retry_s, run)
end

-- In init_worker_by_lua_block: one worker listens for all.
function M.start(own)
  settings = own
  if ngx.worker.id() == 0 then ngx.timer.at(0, run) end
end

-- In balancer_by_lua_block: the next member, each in its turn.
function M.balance(service)
  local list = {}
  for peer in (members:get(service) or ""):gmatch("%S+") do list[#list + 1] = peer end
  if #list == 0 then return ngx.exit(503) end
  local turn = members:incr(service .. " turn", 1, 0)
  local host, port = list[turn % #list + 1]:match("^(.*):(%d+)$")
  local ok, problem = require("ngx.balancer").set_current_peer(host, tonumber(port))
  if not ok then ngx.log(ngx.ERR, "take ", host, ":", port, ": ", problem) end
end

function M.members(service)
  return members:get(service) or ""
end

return M
