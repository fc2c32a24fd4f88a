-- Which displays a command line asks for, over one tally of the run's events.
local color = require("orrery.face.color")
local errors = require("orrery.kernel.errors")
local plain = require("orrery.face.show.plain")
local sys = require("orrery.core.sys")
local tally = require("orrery.face.show.tally")
local term = require("orrery.core.term")

local displays = {}
local Displays = {}
Displays.__index = Displays

-- Files written at the end: flag → module of a fold with text(tally).
local files = { "junit", "summary", "trace", "report" }
local modules = { junit = "junit", summary = "summary", trace = "trace", report = "html" }

-- Progress goes to stdout, as make's does, unless stdout is taken by data.
local function progress_fd(opts)
  return (opts.json or opts.events == "-") and 2 or 1
end

--- How the steps' output is shown. An explicit flag is never overruled.
---@param opts table flags
---@param fd integer where progress goes
---@return string
function displays.how(opts, fd)
  if opts.output and opts.output ~= "auto" then return opts.output end
  if opts.quiet then return "quiet" end
  if term.is_tty(fd) and os.getenv("TERM") ~= "dumb" and os.getenv("TERM") then return "live" end
  return "group"
end

-- Lines of text with the wall time of what they tell before each.
local function stamped(state, write)
  return function(text)
    local wall = (state.run and state.run.wall or sys.wall()) + state.now
    local stamp = ("%s.%03d "):format(os.date("%H:%M:%S", math.floor(wall)),
      math.floor(wall % 1 * 1000))
    write((text:gsub("([^\n]*\n)", function(l) return stamp .. l end)))
  end
end

-- A stream nobody reads any more is left alone; the run goes on.
local function muting(try, fd)
  local closed = false
  return function(text)
    if not closed and not try(fd, text) then closed = true end
  end
end

-- A file that cannot be written is named once; the run goes on.
local function into(f, c)
  local failed = false
  return function(text)
    local ok, why = f:write(text)
    if not ok and not failed then c.err(("orrery: warning: --events: %s\n"):format(why)) end
    failed = failed or not ok
  end
end

--- Where --events wants the stream to go; nil when it does not.
---@param c table the invocation
---@return fun(e: table)? put
---@return file*? file to be closed
function displays.stream(c)
  local path = c.opts.events
  if not path then return nil end
  local json = require("orrery.core.json")
  local write, f = muting(c.try, 1), nil
  if path ~= "-" then
    local why
    f, why = io.open(path, "wb")
    if not f then errors.raise("usage", "--events " .. tostring(why)) end
    f:setvbuf("line")
    write = into(f, c)
  end
  return function(e) write(assert(json.encode(e, { lossy = true })) .. "\n") end, f
end

-- Does nothing come back to what a step came to?
local function is_brief(c, opts, how)
  if opts and opts.dir or how == "live" or c.opts.json then return false end
  for _, name in ipairs(files) do
    if c.opts[name] then return false end
  end
  return true
end

local function screen(self, c, fd, how)
  local write, complain = muting(c.try, fd), muting(c.try, 2)
  if how == "live" then
    self.live = require("orrery.face.show.live").new({ state = self.state, raw = write,
      paint = color.painter(c.opts.color, fd), clock = sys.mono,
      size = function() return term.size(fd) end })
    local live, raw = self.live, complain
    write = function(text) live:write(text) end
    complain = function(text) live:aside(function() raw(text) end) end
  end
  if c.opts.timestamps then
    write, complain = stamped(self.state, write), stamped(self.state, complain)
  end
  return write, complain
end

--- The displays of one run.
---@param c table the invocation
---@param opts? { dir?: string, events?: fun(e: table) } dir: of a finished run that is shown
---  again; events: a stream that is open already
---@return orrery.Displays
function displays.new(c, opts)
  local fd = progress_fd(c.opts)
  local how = displays.how(c.opts, fd)
  if opts and opts.dir and how == "live" then how = "group" end
  local self = setmetatable({ c = c, state = tally.new({
    dir = opts and opts.dir, texts = c.opts.report ~= nil, brief = is_brief(c, opts, how) }) },
    Displays)
  if opts and opts.events then
    self.events = opts.events
  else
    self.events, self.events_file = displays.stream(c)
  end
  local write, complain = screen(self, c, fd, how)
  self.plain = plain.new({ state = self.state, write = write, complain = complain,
    paint = color.painter(c.opts.color, fd), verbose = c.opts.verbose,
    how = how == "live" and "group" or how })
  self.ask = not (opts and opts.dir) and term.is_tty(0) and require("orrery.face.ask").on(self,
    muting(c.try, fd), fd) or nil
  self.wants_output = how == "prefix" or how == "group" or how == "live" or self.events ~= nil
  return self
end

local function show(self, e)
  tally.add(self.state, e)
  if self.live then self.live:before(e) end
  self.plain(e)
  if self.live then self.live:refresh() end
end

--- The sink for the engine.
---@param e orrery.JournalEvent
function Displays:event(e)
  if self.events then self.events(e) end
  if self.held then
    local copy = {} -- an event is the journal's to change
    for k, v in pairs(e) do copy[k] = v end
    self.held[#self.held + 1] = copy
    return
  end
  show(self, e)
end

--- Writes nothing until release: a question stands on the terminal.
function Displays:hold()
  self.held = self.held or {}
  if self.live then self.live:hide(true) end
end

--- Shows what came meanwhile.
function Displays:release()
  local held = self.held or {}
  self.held = nil
  if self.live then self.live:hide(false) end
  for _, e in ipairs(held) do show(self, e) end
end

--- Gives displays that move a clock.
---@param loop orrery.Loop
function Displays:attach(loop)
  if self.live then self.live:attach(loop) end
end

local function save(name, path, text)
  local fs = require("orrery.core.fs")
  local dir = path:match("^(.*)/[^/]*$")
  if dir and dir ~= "" then fs.mkdir(dir) end
  local ok, why = (name == "summary" and fs.append or fs.write_atomic)(path, text)
  if not ok then return errors.text(why) end
end

--- Writes what is written at the end: reports to files, the document to stdout.
function Displays:close()
  if self.held then self:release() end
  if self.events_file then self.events_file:close() end
  for _, name in ipairs(files) do
    local path = self.c.opts[name]
    if path then
      local text = require("orrery.face.show." .. modules[name]).text(self.state)
      local why = save(name, path, text)
      if why then self.c.err(("orrery: warning: --%s: %s\n"):format(name, why)) end
    end
  end
  if self.c.opts.json then
    self.c.out(require("orrery.face.show.document").text(self.state))
  end
end

return displays
