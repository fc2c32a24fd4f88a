-- The libraries a function on a worker sees: the real ones, with a note made of whatever
-- its result could depend on beside its arguments. They are templates; each job gets its
-- own shallow copies, so that nothing assigned in one is there in the next.
local libs = {}

local function shallow(t)
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  return out
end

-- What print and io.write go to: the job's log, dressed as a file.
local function log_file(rec)
  local file = {}
  file.__index, file.__name, file.__metatable = file, "FILE*", false
  function file:write(...)
    for i = 1, select("#", ...) do rec.now:print(tostring((select(i, ...)))) end
    return self
  end
  function file:flush() return self end
  function file.close() return true end
  function file.setvbuf() return true end
  function file.seek() return nil, "the log cannot be read" end
  file.read, file.lines = file.seek, file.seek
  return setmetatable({}, file)
end

local function writes(mode) return mode:find("[wa+]") ~= nil end

local function open_of(rec)
  return function(path, mode)
    mode = mode or "r"
    if type(path) == "string" and type(mode) == "string" then
      if writes(mode) then rec.now:impure("write", "io.open") end
      if not mode:find("[wa]") then rec.now:file(path) end
      path = rec.now:at(path)
    end
    return io.open(path, mode)
  end
end

local function close_default(rec, file)
  file = file or rec.output
  if file == rec.output then rec.output = nil end
  if file == nil or rec.log_files[file] then return true end
  return io.close(file)
end

-- io.input and io.output: a default file of the job's own.
local function redirect(rec, which, mode, open)
  return function(file)
    if type(file) == "string" then
      local why
      file, why = open(file, mode)
      if not file then error(why, 2) end
    end
    if file ~= nil then rec[which] = file end
    if which == "output" then return rec.output or rec.stdout end
    if not rec.input then rec.now:impure("stdin", "io.input") end
    return rec.input or io.stdin
  end
end

--- io
function libs.io(rec)
  local t = shallow(io)
  local open = open_of(rec)
  t.open = open
  t.stdout, t.stderr = rec.stdout, rec.stderr
  t.output, t.input = redirect(rec, "output", "w", open), redirect(rec, "input", "r", open)
  function t.write(...) return (rec.output or rec.stdout):write(...) end
  function t.read(...) return t.input():read(...) end
  function t.lines(path, ...)
    if path == nil then return t.input():lines(...) end
    rec.now:file(path)
    return io.lines(rec.now:at(path), ...)
  end
  function t.close(file) return close_default(rec, file) end
  function t.type(v) return rec.log_files[v] and "file" or io.type(v) end
  function t.popen(cmd, mode)
    rec.now:impure("process", "io.popen")
    return io.popen(rec:in_directory(cmd), mode)
  end
  function t.tmpfile()
    rec.now:impure("write", "io.tmpfile")
    return io.tmpfile()
  end
  return t
end

local function noted(rec, kind, name, fn)
  return function(...)
    rec.now:impure(kind, name)
    return fn(...)
  end
end

--- os: without exit and setlocale, which act on the whole process.
function libs.os(rec)
  local t = shallow(os)
  t.exit, t.setlocale = nil, nil
  t.clock = noted(rec, "clock", "os.clock", os.clock)
  function t.getenv(name)
    if type(name) == "string" then rec.now:var(name) end
    return os.getenv(name)
  end
  function t.time(parts)
    if parts == nil then rec.now:impure("clock", "os.time") else rec.now:var("TZ") end
    return os.time(parts)
  end
  function t.date(format, time)
    if time == nil then rec.now:impure("clock", "os.date") else rec.now:var("TZ") end
    return os.date(format, time)
  end
  function t.execute(cmd)
    rec.now:impure("process", "os.execute")
    return os.execute(cmd and rec:in_directory(cmd))
  end
  function t.remove(path)
    rec.now:impure("write", "os.remove")
    return os.remove(rec.now:at(path))
  end
  function t.rename(from, to)
    rec.now:impure("write", "os.rename")
    return os.rename(rec.now:at(from), rec.now:at(to))
  end
  t.tmpname = noted(rec, "write", "os.tmpname", os.tmpname)
  return t
end

--- math
function libs.math(rec)
  local t = shallow(math)
  t.random = noted(rec, "random", "math.random", math.random)
  t.randomseed = noted(rec, "random", "math.randomseed", math.randomseed)
  return t
end

--- debug: what errors and logs need; the rest reaches beyond the job.
function libs.debug()
  return { traceback = debug.traceback, getinfo = debug.getinfo }
end

--- The files that stand for stdout and stderr.
function libs.log_files(rec)
  rec.stdout, rec.stderr = log_file(rec), log_file(rec)
  rec.log_files = { [rec.stdout] = true, [rec.stderr] = true }
end

--- print, to the log.
function libs.print(rec)
  return function(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    rec.now:print(table.concat(words, "\t") .. "\n")
  end
end

return libs
