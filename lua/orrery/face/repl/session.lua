-- Evaluating at the prompt: inside a task, so that one may wait; Ctrl-C ends what runs,
-- also a loop that waits for nothing, and never the session.
local chunk = require("orrery.face.repl.chunk")
local core_loop = require("orrery.core.loop")
local errors = require("orrery.kernel.errors")
local loops = require("orrery.kernel.loop")
local scope = require("orrery.face.repl.scope")

local session = {}
local Session = {}
Session.__index = Session

-- How many instructions between two looks for Ctrl-C: some milliseconds.
local LOOK = 1000000

--- A session; close it.
---@param more? table<string, fun(): any> further names, made on first use
---@return orrery.Session
function session.new(more)
  return setmetatable({ loop = loops.new(), env = scope.new(more) }, Session)
end

-- A loop of Orrery's own on the stack sees to Ctrl-C itself.
local function loop_inside()
  local level = 3
  while true do
    local info = debug.getinfo(level, "S")
    if not info then return false end
    if info.source:find("orrery[%./]kernel[%./]loop") and info.what == "Lua" and level > 4 then
      local name = debug.getinfo(level, "n").name
      if name == "run" then return true end
    end
    level = level + 1
  end
end

local function interrupted()
  return errors.new("interrupted", "interrupted")
end

-- Runs in the task: looks for Ctrl-C while Lua computes.
local function guarded(self, fn, ...)
  local watch = self.watch
  debug.sethook(function()
    for _, e in ipairs(watch:wait(0)) do
      if e.kind == "signal" and not loop_inside() then error(interrupted(), 0) end
    end
  end, "", LOOK)
  local _ <close> = setmetatable({}, { __close = function() debug.sethook() end })
  return table.pack(fn(...))
end

local function handler(e)
  if errors.is(e) then
    if rawget(e, "traceback") == nil then rawset(e, "traceback", debug.traceback(nil, 2)) end
    return e
  end
  return errors.new("raised", tostring(e), { traceback = debug.traceback(nil, 2) })
end

--- Calls fn in a task.
---@param fn function
---@return boolean ok
---@return table values packed, or the error
function Session:call(fn, ...)
  if not self.watch then
    self.watch = assert(core_loop.new())
    assert(self.watch:signal("INT"))
  end
  self.watch:wait(0)
  local task = self.loop:task("prompt", function(...)
    return table.pack(xpcall(guarded, handler, self, fn, ...))
  end, ...)
  local id = self.loop:on_signal("INT", function() task:cancel(interrupted()) end)
  local ok, got = pcall(self.loop.run, self.loop, task)
  self.loop:on(id, nil)
  self.loop.core:forget(id)
  if not ok then return false, got end
  return got[1], got[2]
end

--- Evaluates what was typed.
---@param text string
---@param name? string chunk name
---@return "ok"|"error"|"incomplete" how
---@return table|any values packed, or the error
function Session:eval(text, name)
  local f, why, incomplete = chunk.load(text, name or "=prompt", self.env)
  if not f then
    if incomplete then return "incomplete", why end
    return "error", errors.new("syntax", why)
  end
  local ok, got = self:call(f)
  io.stdout:flush()
  if ok and got.n > 0 then rawset(self.env, "_", got[1]) end
  return ok and "ok" or "error", got
end

--- Runs a script in the session's scope.
---@param path string
---@return boolean ok
---@return any
function Session:load(path)
  local f, why = loadfile(path, "t", self.env)
  if not f then return false, errors.new("script", why) end
  return self:call(f)
end

--- Ends the watch, the loop and the children the session started.
function Session:close()
  if self.watch then self.watch:close() end
  self.watch = nil
  self.loop:close()
end

Session.__close = Session.close

return session
