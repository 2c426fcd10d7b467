-- What every request is asked for, by the Lua module's C functions themselves. The functions of `ngx` around them would look up the
-- request again each time; and since everything calls those, LuaJIT compiles them apart, and the way of a request would leave its compiled
-- code at each of them.
local ffi = require 'ffi'
local base = require 'resty.core.base'
require 'resty.core.misc'
require 'resty.core.time'
require 'resty.core.var'

local known, exdata = pcall(require, 'thread.exdata')
local C, string_of = ffi.C, ffi.string
local get_variable = C.ngx_http_lua_ffi_var_get
local value, length, message = ffi.new('char *[1]'), ffi.new('size_t[1]'), ffi.new('char *[1]')
local HOST, HOST_LENGTH = 'host', 4
-- Where the C function writes the name in small letters.
local scratch = ffi.new('char[?]', HOST_LENGTH)

ffi.cdef [[ int ngx_http_lua_ffi_req_get_method(ngx_http_request_t *r); ]]

return {
  -- nginx's request that is under way.
  current = known and exdata or base.get_request,
  -- `$host`: in small letters and without a port.
  host = function(r)
    if get_variable(r, HOST, HOST_LENGTH, scratch, 0, value, length, message) ~= 0 then return '' end
    return string_of(value[0], length[0])
  end,
  method = C.ngx_http_lua_ffi_req_get_method,
  status = C.ngx_http_lua_ffi_get_resp_status,
  start_time = C.ngx_http_lua_ffi_req_start_time,
  now = C.ngx_http_lua_ffi_now,
}
