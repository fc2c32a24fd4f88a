-- Is a service ready? One question at a time, by `ready = { run | tcp | http | log }`, asked
-- at once and then ever more slowly, up to `every`. What it says stays in the loop: sockets
-- do not block, commands are awaited.
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")
local regex = require("orrery.core.regex")
local sock = require("orrery.core.sock")

local readiness = {}

-- How long one question may take, and the first pause after one.
local PATIENCE, SOON = 2, 0.01

-- Waits for a descriptor; false when nothing happened in time.
local function await_fd(core, kind, fd)
  local id, err = core[kind](core, fd)
  if not id then error(err, 0) end
  local _ <close> = setmetatable({}, { __close = function() core:forget(id) end })
  return loop.await(id, PATIENCE) ~= nil
end

-- A connection; nil and why there is none.
local function connect(core, host, port)
  local s, err = sock.dial(host, port)
  if not s then
    if err.code == "EINVAL" then error(err, 0) end
    return nil, errors.text(err)
  end
  if not await_fd(core, "writable", s:fd()) then
    s:close()
    return nil, ("no answer from %s:%d"):format(host, port)
  end
  local ok, why = s:connected()
  if ok then return s end
  s:close()
  return nil, ("%s:%d: %s"):format(host, port, errors.text(why))
end

--- Splits "host:port", ":port" or "port".
---@param text string|number
---@return string host
---@return integer? port nil: it is none
function readiness.address(text)
  text = tostring(text)
  local host, port = text:match("^%[?(.-)%]?:(%d+)$")
  if not port then host, port = "", text:match("^(%d+)$") end
  port = port and math.tointeger(tonumber(port))
  if port and (port < 1 or port > 65535) then port = nil end
  return host == "" and "127.0.0.1" or host, port
end

local function tcp(at)
  local s, why = connect(at.core, at.host, at.port)
  if not s then return nil, why end
  s:close()
  return true
end

local function send_all(core, s, bytes)
  while bytes ~= "" do
    local n, err = s:send(bytes)
    if n then
      bytes = bytes:sub(n + 1)
    elseif err.code ~= "EBUSY" then
      return nil, errors.text(err)
    elseif not await_fd(core, "writable", s:fd()) then
      return nil, "the request is not taken"
    end
  end
  return true
end

-- The status line of an answer.
local function first_line(core, s)
  local got = ""
  while not got:find("\n", 1, true) and #got < 4096 do
    local bytes, err = s:recv()
    if bytes == "" then break end
    if bytes then
      got = got .. bytes
    elseif err.code ~= "EBUSY" then
      return nil, errors.text(err)
    elseif not await_fd(core, "readable", s:fd()) then
      return nil, "no answer"
    end
  end
  return got:match("^[^\r\n]*")
end

--- Splits "http://host:port/path"; a part that is left out is 127.0.0.1, the port, or "/".
---@param url string
---@param port? integer of the service
---@return table? { host, port, path }
---@return string? why not
function readiness.url(url, port)
  if url:find("^https:") then
    return nil, "https is not spoken here; write ready = { run = \"curl -fsk " .. url .. "\" }"
  end
  local rest = url:match("^http://(.*)$") or url
  local where, path = rest:match("^([^/]*)(/.*)$")
  if not where then where, path = rest, "/" end
  local host, given = where, nil
  if where:find(":%d+$") or where:find("^%d+$") then host, given = readiness.address(where) end
  if host == "" then host = "127.0.0.1" end
  given = given or (url:find("^http:") and 80) or port
  if not given then return nil, ("'%s' names no port"):format(url) end
  return { host = host, port = given, path = path }
end

-- Any answer but an error will do.
local function http(at)
  local s, why = connect(at.core, at.host, at.port)
  if not s then return nil, why end
  local _ <close> = setmetatable({}, { __close = function() s:close() end })
  local ok, line
  ok, why = send_all(at.core, s, ("GET %s HTTP/1.0\r\nHost: %s:%d\r\nConnection: close\r\n\r\n")
    :format(at.path, at.host, at.port))
  if not ok then return nil, why end
  line, why = first_line(at.core, s)
  if not line then return nil, why end
  local status = tonumber(line:match("^HTTP/%S+ (%d%d%d)"))
  if status and status >= 200 and status < 400 then return true end
  return nil, ("http://%s:%d%s answers '%s'"):format(at.host, at.port, at.path, line)
end

local function command(at)
  local e, err = loop.child({ argv = at.argv, env = at.env, cwd = at.cwd, timeout = at.left(),
    tag = at.tag })
  if not e then error(err, 0) end
  if e.code == 0 then return true end
  local said = ((e.stderr or "") .. (e.stdout or "")):match("([^\n]+)\n*$")
  return nil, ("%s: exit %d%s"):format(at.shown, e.code, said and ": " .. said or "")
end

local function log(at)
  local yes, err = at.re:match(at.text())
  if err then error(err, 0) end
  if yes then return true end
  return nil, ("nothing in its output matches %s"):format(at.shown)
end

--- The question of a service, with its template filled in. Raises when it is none.
---@param ready table
---@param at { core: core.Loop, env: string[], cwd: string, tag: string, argv?: string[],
---  shown?: string, port?: integer, text: fun(): string, left: fun(): number }
---@return fun(): boolean?, string?
function readiness.question(ready, at)
  if ready.tcp ~= nil then
    at.host, at.port = readiness.address(ready.tcp)
    if not at.port then
      errors.raise("service", ("ready.tcp: '%s' is no port"):format(tostring(ready.tcp)))
    end
    return function() return tcp(at) end
  elseif ready.http then
    local url, why = readiness.url(ready.http, at.port)
    if not url then errors.raise("service", "ready.http: " .. why) end
    at.host, at.port, at.path = url.host, url.port, url.path
    return function() return http(at) end
  elseif ready.log then
    local re, why = regex.compile(ready.log)
    if not re then errors.raise("service", "ready.log: " .. errors.text(why)) end
    at.re, at.shown = re, ready.log
    return function() return log(at) end
  end
  return function() return command(at) end
end

--- Asks until the answer is yes. In a task.
---@param ask fun(): boolean?, string?
---@param ready { every: number }
---@param at { over: fun(): boolean, left: fun(): number, ring: fun(): orrery.Signal }
---  over: it ended by itself; ring: what is set when it is worth asking again
---@return boolean ready
---@return string? why not
function readiness.wait(ask, ready, at)
  local pause, why = SOON, nil
  while not at.over() do
    local yes
    yes, why = ask()
    if yes then return true end
    local left = at.left()
    if left <= 0 then break end
    loop.await(at.ring(), math.min(pause, left))
    pause = math.min(pause * 2, ready.every)
  end
  return false, why
end

return readiness
