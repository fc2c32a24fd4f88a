-- One line a step, for logs, pipes and CI.
local report = require("orrery.face.show.report")
local tally = require("orrery.face.show.tally")
local words = require("orrery.face.words")

local plain = {}

local function ends_in_newline(text)
  return text == "" and "" or text:sub(-1) == "\n" and text or text .. "\n"
end

local function step_line(self, step)
  local paint, note = self.paint, {}
  local word = step.status
  if step.cached then word = step.cached == "clean" and "clean" or "hit" end
  local colors = { ok = "green", clean = "dim", hit = "cyan", failed = "red", skipped = "yellow",
    cancelled = "yellow" }
  if step.status == "skipped" then
    note[1] = step.why == "when" and "its condition is false"
      or step.cause and ("%s failed"):format(step.cause) or step.why
  else
    if step.error then note[#note + 1] = step.error.message end
    if not step.cached then
      note[#note + 1] = words.seconds(step.seconds or 0)
      if step.reason and step.reason ~= "" then note[#note + 1] = step.reason end
    end
  end
  local text = #note > 0 and "  " .. paint("dim", table.concat(note, " · ")) or ""
  return ("%s %s%s"):format(paint(colors[word] or "bold", ("%-9s"):format(word)), step.id, text)
end

local function show_output(self, step)
  if self.how == "quiet" or step.cached then return end
  if self.how == "errors" and step.status ~= "failed" then return end
  self.write(ends_in_newline(step.stdout or "") .. ends_in_newline(step.stderr or ""))
end

local on = {}

function on.step_finished(self, e)
  local step = self.state.steps[e.id]
  if self.how == "quiet" and step.status ~= "failed" then return end
  if step.cached == "clean" and not self.verbose then return end
  if self.verbose and step.cmd and not step.cached then self.write("$ " .. step.cmd .. "\n") end
  self.write(step_line(self, step) .. "\n")
  show_output(self, step)
end

function on.step_skipped(self, e)
  if self.how == "quiet" then return end
  self.write(step_line(self, self.state.steps[e.id]) .. "\n")
end

function on.step_retry(self, e)
  if self.how == "quiet" then return end
  self.write(("%s %s  try %d: %s; again in %s\n"):format(self.paint("yellow", "retry    "), e.id,
    e.attempt, e.message, words.seconds(e.delay)))
end

function on.message(self, e)
  local p = e.place
  local where = p and p.file and (p.line and ("%s:%d: "):format(p.file, p.line) or p.file .. ": ")
    or ""
  self.complain(("%s%s: %s%s\n"):format(where, e.level, e.text, e.hint and "; " .. e.hint or ""))
end

function on.cache_off(self, e)
  self.complain(("warning: the cache is off for this run: %s\n"):format(e.why))
end

function on.run_finished(self)
  for _, line in ipairs(report.failures(self.state, { paint = self.paint,
    shown = self.how ~= "quiet" })) do
    self.complain(line .. "\n")
  end
  if self.how ~= "quiet" then self.write(report.summary(self.state) .. "\n") end
end

--- A display: feed it every event of a run.
---@param opts { write: fun(text: string), complain: fun(text: string), paint: function,
---  how?: "group"|"errors"|"quiet", verbose?: boolean }
---@return fun(event: orrery.JournalEvent)
function plain.new(opts)
  local self = { state = tally.new(), write = opts.write, complain = opts.complain,
    paint = opts.paint, how = opts.how or "group", verbose = opts.verbose }
  return function(event)
    tally.add(self.state, event)
    local f = on[event.ev]
    if f then f(self, event) end
  end
end

return plain
