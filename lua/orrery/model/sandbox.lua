-- The box a workflow file is evaluated in: one environment for the file and its modules,
-- a record of what it read, and an end for files that never return.
local errors = require("orrery.kernel.errors")
local heap = require("orrery.kernel.heap")
local lazy = require("orrery.kernel.lazy")
local library = require("orrery.model.library")
local mistakes = lazy("orrery.model.mistakes")
local modules = require("orrery.model.modules")
local nearest = lazy("orrery.kernel.nearest")
local reading = require("orrery.model.reading")

local sandbox = {}

---@class orrery.Box
---@field root string
---@field path string[]                    directories of modules, relative to the root
---@field env table                        the globals
---@field reads table                      where reads are recorded now
---@field sources table<string, string>    text of each file evaluated
---@field loaded table<string, any>        module name → value, as for package.loaded
---@field digests table<string, string>    user module name → digest of its text
---@field loading boolean                  a file is being evaluated
local Box = {}

local MAX_FILE = 16 << 20
local MAX_INSTRUCTIONS = 2000000000
local MAX_KILOBYTES = 4 << 20
local STEP = 1000000

-- Reading or writing a name that is no global is an error that says what to write.
local function strict(box)
  return {
    __metatable = false,
    __index = function(env, name)
      local optional = mistakes.optional_globals[name]
      if optional then return nil end
      local info = debug.getinfo(2, "Sl") or {}
      local text = box.sources[(info.source or ""):gsub("^@", "")]
      error(mistakes.unknown_global(name, text, info.currentline, nearest.find(name, env)), 2)
    end,
    __newindex = function(_, name, value)
      error(mistakes.new_global(name, value), 2)
    end,
  }
end

--- A box. `stop` is asked now and then while a file is evaluated; true ends it.
---@param opts { root: string, path?: string[], stop?: (fun(): boolean), instructions?: integer,
---  past?: table }  past: what files were at an earlier commit (changes.definitions)
---@return orrery.Box
function sandbox.new(opts)
  local path = { "lua", "workflows" }
  for _, dir in ipairs(opts.path or {}) do path[#path + 1] = dir end
  return setmetatable({ root = opts.root, path = path, stop = opts.stop, past = opts.past,
    reads = reading.new(), sources = {}, loaded = {}, digests = {}, requiring = {}, loading = false,
    max_file = MAX_FILE, max_instructions = opts.instructions or MAX_INSTRUCTIONS,
    count = 0 }, Box)
end

-- The globals are made when they are asked for: a project without orrery.lua has a box in which
-- nothing is evaluated.
function Box.__index(box, key)
  if key ~= "env" then return Box[key] end
  local env = setmetatable(library.new(box), strict(box))
  box.env = env
  return env
end

-- Why a file must end now, or nil.
local function overdue(box)
  if box.over then return box.over end
  if box.count > box.max_instructions then
    return ("no end after %d million instructions; is there an endless loop?")
      :format(box.max_instructions // 1000000)
  end
  if collectgarbage("count") > MAX_KILOBYTES then return "it needs more than 4 GiB of memory" end
  if box.stop and box.stop() then return "interrupted" end
end

-- Counts; once over, it raises at each instruction, so that no pcall of the file survives;
-- only not in Box.call itself, which takes the hook away.
local function hook_of(box)
  return function()
    if not box.loading then return end
    if box.over and debug.getinfo(2, "f").func == Box.call then return end
    box.count = box.count + (box.over and 0 or box.step)
    heap.tend()
    local why = overdue(box)
    if not why then return end
    if not box.over then
      box.over = why
      debug.sethook(box.hook, "", 1)
    end
    error(why, 2)
  end
end

--- Gives a coroutine of the file the hook that ends it.
---@param co thread
function Box:watch(co)
  if self.hook then debug.sethook(co, self.hook, "", self.over and 1 or self.step) end
end

-- Strings of the file see the box's string functions as methods while it is evaluated:
-- ("%p"):format(t) would print an address.
local function with_methods(env)
  local mt = debug.getmetatable("")
  local before = mt.__index
  mt.__index = env.string
  return setmetatable({}, { __close = function() mt.__index = before end })
end

local function handler(err)
  if type(err) == "string" or errors.is(err) then return err end
  return errors.new("error", errors.text(err))
end

--- Calls a function of the file under its limits; returns its value or raises what it
--- raised: a text that begins with a place, or an error value.
---@param fn function
---@param ... any
---@return any
function Box:call(fn, ...)
  if self.loading then return (fn(...)) end
  local _ <close> = with_methods(self.env)
  self.loading, self.count, self.over = true, 0, nil
  self.step = math.min(STEP, self.max_instructions)
  self.hook = hook_of(self)
  debug.sethook(self.hook, "", self.step)
  local ok, value = xpcall(fn, handler, ...)
  debug.sethook()
  self.loading, self.hook = false, nil
  if not ok then error(value, 0) end
  return value
end

--- Evaluates a text as a chunk of this box; `name` is what places in it are called.
--- Bytecode and texts with NUL bytes are refused.
---@param text string
---@param name string
---@param ... any arguments of the chunk
---@return any
function Box:evaluate(text, name, ...)
  if text:byte(1) == 27 then
    errors.invalid { { place = { file = name }, level = "error",
      text = "this is bytecode; a workflow file is text" } }
  end
  local nul = text:find("\0", 1, true)
  if nul then
    local _, line = text:sub(1, nul):gsub("\n", "")
    errors.invalid { { place = { file = name, line = line + 1 }, level = "error",
      text = "the file contains a NUL byte; a workflow file is text" } }
  end
  text = text:gsub("^\239\187\191", ""):gsub("^#[^\n]*", "")
  self.sources[name] = text
  local chunk, why = load(text, "@" .. name, "t", self.env)
  if not chunk then errors.invalid { mistakes.syntax(why, text, name) } end
  return self:call(chunk, ...)
end

--- As `require` in the file.
---@param name string
---@param level? integer
---@return any
function Box:require(name, level) return modules.require(self, name, (level or 1) + 1) end

--- The function that "module:function" names, or nil and why there is none.
---@param text string
---@return function?, string?
function Box:resolve(text)
  local name, member = text:match("^([%w_%.%-]+):([%a_][%w_]*)$")
  if not name then
    return nil, ("'%s' is no function; name one as \"module:function\""):format(text)
  end
  if self.loaded[name] == nil and not modules.find(self, name) then
    return nil, ("module '%s' not found; looked for %s"):format(name,
      table.concat(modules.candidates(self, name), ", "))
  end
  local mod = self:require(name)
  local fn = type(mod) == "table" and mod[member] or nil
  if type(fn) == "function" then return fn end
  local hint = type(mod) == "table" and nearest.hint(member, mod)
  return nil, ("module '%s' has no function '%s'%s"):format(name, member,
    hint and "; " .. hint or "")
end

--- Is there a module of that name for this file?
---@param name string
---@return boolean
function Box:has(name)
  return self.loaded[name] ~= nil or modules.find(self, name) ~= nil
end

--- How core.func dumps functions of this file: its globals stand for the real ones, its
--- modules travel by name, with their digests in the identity.
---@return orrery.FuncOptions
function Box:dump_options()
  return { env = self.env, loaded = self.loaded, modules = self.digests }
end

--- From now on reads are recorded in `reads` (a body that runs records its own).
---@param reads table
---@return table before
function Box:record(reads)
  local before = self.reads
  self.reads = reads
  return before
end

return sandbox
