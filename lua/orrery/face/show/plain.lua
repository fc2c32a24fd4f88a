-- One line a finished step, with its output in one block (group), as it comes (prefix, or
-- stream when the run is a single step), only when it failed (errors), or not at all (quiet).
local line = require("orrery.face.show.line")
local report = require("orrery.face.show.report")
local tally = require("orrery.face.show.tally")
local words = require("orrery.face.words")

local plain = {}

local function write(self, text)
  if text ~= "" then self.write(text) end
end

local function ended(text)
  return text == "" and "" or text:sub(-1) == "\n" and text or text .. "\n"
end

local function text_of(self, e, name)
  local rel = e[name .. "_log"]
  if rel and self.state.dir then
    return require("orrery.core.fs").read(self.state.dir .. "/" .. rel) or ""
  end
  return e[name] or ""
end

local function prefixed(self, id, text)
  local head = self.paint("cyan", "[" .. id .. "]") .. " "
  return (ended(text):gsub("([^\n]*)\n", function(l) return head .. l .. "\n" end))
end

-- Whole lines of a stream as they come; the rest waits for its end.
local function stream(self, e)
  local key = e.id .. "\0" .. e.stream
  local text = (self.partial[key] or "") .. e.data
  local whole = text:match("^.*\n") or ""
  self.partial[key] = text:sub(#whole + 1)
  self.streamed[e.id] = true
  if whole ~= "" then write(self, self.how == "prefix" and prefixed(self, e.id, whole) or whole) end
end

local function flush_partial(self, id)
  for n = 1, 2 do
    local key = id .. "\0" .. n
    local text = self.partial[key]
    self.partial[key] = nil
    if text and text ~= "" then
      write(self, self.how == "prefix" and prefixed(self, id, text) or ended(text))
    end
  end
end

local function output_of(self, step, e)
  if self.streamed[e.id] or self.how == "quiet" or step.cached == "clean" then return "" end
  if self.how == "errors" and step.status ~= "failed" then return "" end
  if step.kind == "service" and step.status == "ok" and not self.verbose then return "" end
  local text = ended(text_of(self, e, "stdout")) .. ended(text_of(self, e, "stderr"))
  self.shown = { [e.id] = true }
  return self.how == "prefix" and prefixed(self, e.id, text) or text
end

-- What to do about it is said once.
local function shorter(self, step)
  local short = step.reason and step.reason:match("^(always %(.-); .*%)$")
  if not short or step.status == "failed" then return end
  if self.advised then step.reason = short .. ")" end
  self.advised = true
end

local function hidden(self, step)
  if step.status == "failed" then return false end
  if self.how == "quiet" then return true end
  return step.cached == "clean" and not self.verbose
end

local on = {}

function on.step_started(self, e)
  if self.verbose and e.cmd and self.how ~= "quiet" then
    write(self, ("%s %s  $ %s\n"):format(self.paint("dim", ("%-10s"):format("start")), e.id,
      e.cmd))
  end
end

-- A body starts without steps: its first call is not the only one.
local function single(state)
  return state.total == 1 and state.listed == 1
end

-- A single step streams: its output is what the run is about.
function on.output(self, e)
  if self.how == "prefix" or (self.how == "group" and single(self.state)) then
    stream(self, e)
  end
end

function on.step_finished(self, e)
  local step = self.state.step
  if hidden(self, step) then return end
  self.shown = {}
  if self.streamed[e.id] then flush_partial(self, e.id) end
  shorter(self, step)
  write(self, line.of(step, self.paint) .. "\n" .. output_of(self, step, e))
end

-- What a failure kept from running is named with the failure, once.
function on.step_skipped(self, e)
  if self.how == "quiet" or (e.why ~= "when" and not self.verbose) then return end
  write(self, line.of(self.state.step, self.paint) .. "\n")
end

-- "ready      db  on port 41234 in 0.3 s"
function on.service_ready(self, e)
  if self.how == "quiet" then return end
  local text = e.kept and "up since an earlier run" or "in " .. words.seconds(e.seconds or 0)
  if e.port then text = ("on port %d%s %s"):format(e.port, e.kept and "," or "", text) end
  write(self, ("%s %s  %s\n"):format(self.paint("cyan", ("%-10s"):format("ready")), e.id,
    self.paint("dim", text)))
end

function on.step_retry(self, e)
  if self.how == "quiet" then return end
  write(self, ("%s %s  attempt %d: %s; again %s\n"):format(self.paint("yellow",
    ("%-10s"):format("retry")), e.id, e.attempt, words.brief(e.message or e.class, 120),
    e.delay and e.delay > 0 and "in " .. words.seconds(e.delay) or "at once"))
end

local circuits = { open = "%s could not be reached %d times in a row; it is not asked for %s",
  half = "%s is asked again", closed = "%s can be reached again" }

function on.circuit(self, e)
  if self.how == "quiet" then return end
  local text = circuits[e.state]:format(e.agent, e.failures, words.seconds(e.seconds or 0))
  write(self, ("%s %s\n"):format(self.paint("yellow", ("%-10s"):format("circuit")), text))
end

local function message_line(self, e)
  local p = e.place
  local where = p and p.file and (p.line and ("%s:%d: "):format(p.file, p.line) or p.file .. ": ")
    or ""
  local level = self.paint(e.level == "error" and "red" or "yellow", e.level .. ":")
  return ("%s%s %s%s\n"):format(where, level, e.text, e.hint and "; " .. e.hint or "")
end

function on.message(self, e)
  if self.how == "quiet" and e.level ~= "error" and e.level ~= "warning" then return end
  self.complain(message_line(self, e))
end

-- Which steps changes touch, and why: at most a screen of them.
local MOST_REASONS = 20

function on.affected(self, e)
  if self.how == "quiet" then return end
  write(self, ("%s %s, %s\n"):format(self.paint("cyan", ("%-10s"):format("affected")),
    #e.steps == 0 and "no step" or words.count(#e.steps, "step"), words.since(e)))
  for i, one in ipairs(e.steps) do
    if i > MOST_REASONS and not self.verbose then
      write(self, ("           … and %d more (-v lists them)\n"):format(#e.steps - MOST_REASONS))
      break
    end
    write(self, ("           %s: %s\n"):format(one.id, one.why))
  end
end

function on.cache_off(self, e)
  self.complain(("%s the cache is off for this run: %s\n"):format(
    self.paint("yellow", "warning:"), e.why))
end

function on.run_finished(self)
  local lines = report.failures(self.state, { paint = self.paint, shown = self.shown })
  if #lines > 0 then self.complain(table.concat(lines, "\n") .. "\n") end
  if self.how ~= "quiet" then write(self, report.summary(self.state) .. "\n") end
end

--- A display: call it with every event of a run, after the tally has it.
---@param opts { state: table, write: fun(text: string), complain: fun(text: string),
---  paint: function, how?: "group"|"prefix"|"errors"|"quiet", verbose?: boolean }
---@return fun(event: orrery.JournalEvent)
function plain.new(opts)
  local self = { state = opts.state or tally.new(), write = opts.write, complain = opts.complain,
    paint = opts.paint, how = opts.how or "group", verbose = opts.verbose, partial = {},
    streamed = {}, shown = {} }
  return function(event)
    local f = on[event.ev]
    if f then f(self, event) end
  end
end

return plain
