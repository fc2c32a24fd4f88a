-- orrery watch [WORKFLOW] [STEP…]: runs, and runs again when what it read has changed.
local args = require("orrery.face.args")
local displays = require("orrery.face.displays")
local engine = require("orrery.run.engine")
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")
local named = require("orrery.face.named")
local run = require("orrery.face.cmd.run")
local services = require("orrery.run.services")
local sorted = require("orrery.kernel.sorted")
local target = require("orrery.face.target")
local watched = require("orrery.run.changes.watched")
local watcher = require("orrery.run.changes.watcher")
local words = require("orrery.face.words")

local watch = {}

watch.usage = "orrery watch [WORKFLOW] [STEP…] [-- ARGS]"
watch.about = [[
Runs a workflow, or some of its steps, and waits; runs what is concerned again when the
content of a file that the run read has changed: declared inputs, new files that a glob
finds, files a function read, headers of a depfile, the workflow's own files. A change while
a run goes on ends the steps it concerns first. Services stay up between runs as long as
they are the same. Ctrl-C ends it.]]
watch.flags = { "jobs", "keep-going", "param", "quiet", "verbose", "yes", "only", "force", "cache",
  "agent", "timeout", "budget", "resources", "json", "events", "output", "timestamps", "strict",
  "sequential-fallback", "clear" }
watch.examples = { { "orrery watch", "the default workflow" },
  { "orrery watch site pages", "one step with what it needs" },
  { "orrery watch app test -q", "say only what fails" } }
watch.notes = [[
Exit codes: 130 when ended by Ctrl-C, 143 by TERM; 2, 3 when the workflow cannot be found, or
is invalid at the beginning.]]

local Session = {}
Session.__index = Session

---------------------------------------------------------------------------
-- what is said

local function say(self, event, text)
  if self.events then self.events(event) end
  if text and not self.c.opts.quiet then self.c.err(text .. "\n") end
end

local function say_watching(self, files, dirs)
  say(self, { v = 1, ev = "watching", files = files, dirs = dirs },
    ("watching %s in %s"):format(words.count(files, "file"), words.count(dirs, "directory",
    "directories")))
end

-- Nothing would ever wake it.
local function advise(self)
  if self.watched:has_inputs() or self.advised then return end
  self.advised = true
  self.c.err("orrery: warning: no step declares inputs; only the workflow's own files are "
    .. "watched\n  add inputs = { … } to what is to run again\n")
end

local function say_changed(self, list)
  local paths = {}
  for i, change in ipairs(list) do paths[i] = change.path end
  if self.c.opts.clear then self.c.out("\27[2J\27[H") end
  say(self, { v = 1, ev = "changed", paths = paths }, "\n" .. words.some(paths, 3) .. " changed")
end

---------------------------------------------------------------------------
-- one run

local function load(self)
  local wf, steps, conf = target.load(self.c.words, args.pairs(self.c.opts.param, "-p"),
    self.c.opts)
  if not wf then target.unnamed("watch") end
  run.refuse_warnings(self.c, wf)
  named.check(wf, run.options(self.c, steps), conf)
  return { wf = wf, steps = steps, conf = conf }
end

-- Changes while a run goes on end the steps they concern; the run is over then.
local function disturb(self)
  local list = self.watched:changes()
  if #list == 0 or self.pending then return end
  self.pending = list
  local reload, concerned = false, {}
  for _, change in ipairs(list) do
    reload = reload or change.reload
    for id in pairs(change.steps) do concerned[id] = true end
  end
  self.control.restart(reload and {} or { concerned = concerned })
end

local function options(self)
  local opts = run.options(self.c, self.loaded.steps)
  opts.config, opts.loop, opts.services = self.loaded.conf, self.loop, self.services
  opts.signals, opts.argv, opts.watched, opts.control = false, self.c.argv, self.watched,
    self.control
  return opts
end

local function go(self)
  local wf = self.loaded.wf
  local shown = displays.new(self.c, { events = self.events })
  local opts = options(self)
  opts.sinks = { function(e) shown:event(e) end }
  opts.live = shown.wants_output
  shown:attach(self.loop)
  self.running, self.pending = true, nil
  self.watched:begin(wf, engine.dotenv_files(wf))
  self.watcher:set(self.watched:dirs())
  local ok, record = pcall(engine.run, wf, opts)
  self.running, self.ran = false, true
  if not ok then error(record, 0) end
  shown:close()
  self.watched:settle()
end

---------------------------------------------------------------------------
-- between two runs

-- Waits until something is different from what the last run saw.
local function await_change(self)
  local list, told = self.pending, 0
  self.pending = nil
  while not self.over do
    local dirs, files = self.watched:dirs()
    local more = self.watcher:set(dirs)
    list = list or self.watched:changes()
    if #list > 0 then return list end
    list = nil
    if not more then
      -- Said once: the stream itself may lie in a directory that is watched.
      if told == 0 then
        if self.ran then advise(self) end
        say_watching(self, files, #sorted.keys(dirs))
      end
      if told == 1 then say(self, { v = 1, ev = "unchanged" }) end
      told, self.stirred = told + 1, false
      while not self.stirred and not self.over do self.loop:step() end
    end
  end
end

-- Loads again; a workflow that cannot be loaded is said and waited for.
local function reload(self)
  while not self.over do
    local ok, loaded = pcall(load, self)
    if ok then
      self.loaded = loaded
      self.loop:run(self.loop:task("services", services.sweep, self.services, loaded.wf))
      return
    end
    if not errors.is(loaded) or loaded.code == "internal" then error(loaded, 0) end
    self.c.err(errors.text(loaded) .. "\n" .. (loaded.hint and "  " .. loaded.hint .. "\n" or ""))
    if self.events then
      self.events({ v = 1, ev = "message", level = "error", text = errors.text(loaded) })
    end
    self.watched:broken({ self.loaded.wf.file })
    local list = await_change(self)
    if list then say_changed(self, list) end
  end
end

local function needs_reload(list)
  for _, change in ipairs(list) do
    if change.reload then return true end
  end
  return false
end

local function repeat_runs(self)
  while true do
    go(self)
    local list = await_change(self)
    if not list then return end
    say_changed(self, list)
    if needs_reload(list) then reload(self) end
    if self.over then return end
  end
end

---------------------------------------------------------------------------

local function listen(self)
  local function on(name, code)
    self.loop:on_signal(name, function()
      self.over = self.over or code
      if self.running then self.control.interrupt(code) end
    end)
  end
  on("INT", 130)
  on("TERM", 143)
end

local function end_services(self)
  local task = self.loop:task("services", services.sweep, self.services)
  self.loop:run(task)
end

--- Runs the command.
---@param c table the invocation
---@return integer exit code
function watch.main(c)
  local l <close> = loop.new()
  local self = setmetatable({ c = c, loop = l, control = {} }, Session)
  self.loaded = load(self)
  self.events = displays.stream(c)
  self.services = services.new(l, { keep = true })
  self.watched = watched.new(self.loaded.wf.root)
  self.watcher = watcher.new(l, function()
    self.stirred = true
    if self.running then disturb(self) end
  end)
  listen(self)
  local ok, why = pcall(repeat_runs, self)
  end_services(self)
  self.watched:close()
  if not ok then error(why, 0) end
  return self.over
end

return watch
