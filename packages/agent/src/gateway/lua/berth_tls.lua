-- Chooses the certificate of a TLS connection by the name that the client asks for. Without one for it, the gateway's own
-- self-signed certificate from nginx.conf stays in place.
local ssl = require 'ngx.ssl'
local tables = require 'berth_table'
local worker = require 'berth_worker'

local tls = {}

local function parse(certificate)
  local chain, reason = ssl.parse_pem_cert(certificate.certificate_pem)
  local key
  if chain then key, reason = ssl.parse_pem_priv_key(certificate.key_pem) end
  if not key then ngx.log(ngx.ERR, 'berth: certificate for ', certificate.hosts[1], ': ', reason) end
  certificate.parsed = key and { chain = chain, key = key } or false
end

local function install(certificate)
  if certificate.parsed == nil then parse(certificate) end
  local parsed = certificate.parsed
  if not parsed then return end
  assert(ssl.clear_certs())
  assert(ssl.set_cert(parsed.chain))
  assert(ssl.set_priv_key(parsed.key))
end

function tls.choose()
  if worker.shared.generation ~= worker.generation then worker.refresh() end
  local name = ssl.server_name()
  local certificate = name and tables.certificate(worker.state, name)
  if certificate then install(certificate) end
end

return tls
