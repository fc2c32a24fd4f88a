-- A footer below the finished steps on a terminal: what runs, for how long, what is left.
-- The footer is drawn from its first line on and the cursor goes back there, so that one
-- "erase to the end" removes it before anything else is written.
local eta = require("orrery.face.show.eta")
local term = require("orrery.core.term")
local words = require("orrery.face.words")

local live = {}

local ERASE = "\27[J"
local BETWEEN = 0.05
local TICK = 0.1
local MOST = 8
-- A run that is over at once gets no footer.
local PATIENCE = 0.15

local function clock(seconds)
  local whole = math.floor(seconds)
  if whole < 3600 then return ("%d:%02d"):format(whole // 60, whole % 60) end
  return ("%d:%02d:%02d"):format(whole // 3600, whole // 60 % 60, whole % 60)
end

local function running(s)
  local out = {}
  for _, step in ipairs(s.started) do
    if s.running[step.id] == step then out[#out + 1] = step end
  end
  return out
end

-- Finished steps leave the list of started ones now and then, lest it grow for ever.
local function forget_finished(s, list)
  if #s.started > 2 * #list + 64 then s.started = list end
end

local function head(self, s, now, count)
  local c = s.counts
  local parts = { ("[%d/%d]"):format(s.done, math.max(s.total, s.done + count)) }
  parts[#parts + 1] = ("%d running"):format(count)
  if c.failed > 0 then parts[#parts + 1] = self.paint("red", c.failed .. " failed") end
  parts[#parts + 1] = clock(now)
  self.left = self.left or eta.new(s)
  local left = self.left(now)
  if left and left >= 1 then parts[#parts + 1] = ("about %s left"):format(clock(left)) end
  return table.concat(parts, " · ")
end

local function step_text(step, now, columns)
  local took = words.seconds(math.max(0, now - step.begun))
  if step.expected and step.expected >= 1 then
    took = took .. " of about " .. words.seconds(step.expected)
  end
  return words.cut(("  %s  %s"):format(step.id, took), columns)
end

--- The lines of the footer now; pure, for tests.
---@param self { state: table, paint: function }
---@param now number seconds since the run began
---@param columns integer
---@param rows integer
---@return string[]
function live.lines(self, now, columns, rows)
  local s = self.state
  local list = running(s)
  forget_finished(s, list)
  local out = { words.cut(head(self, s, now, #list), columns + 9) }
  local most = math.max(0, math.min(MOST, rows - 3))
  for i, step in ipairs(list) do
    if i > most or (i == most and #list > most) then
      out[#out + 1] = ("  … and %d more"):format(#list - i + 1)
      break
    end
    out[#out + 1] = step_text(step, now, columns)
  end
  return out
end

local Live = {}
Live.__index = Live

local function footer(self)
  local columns, rows = self.size()
  local list = live.lines(self, self.clock() - self.epoch, (columns or 80) - 1, rows or 24)
  local up = #list > 1 and ("\27[%dA"):format(#list - 1) or ""
  return table.concat(list, "\n") .. "\r" .. up
end

local function hidden(self)
  if self.away then return true end
  if not self.epoch or self.over or self.clock() - self.epoch < PATIENCE then return true end
  for _, step in pairs(self.state.running) do
    if step.tty then return true end
  end
  return next(self.state.running) == nil
end

-- One write for all: no flicker, no half-drawn footer.
local function put(self, text)
  local erase = self.drawn and ERASE or ""
  self.drawn = not hidden(self)
  local all = erase .. text .. (self.drawn and footer(self) or "")
  self.drawn_at = self.clock()
  if all ~= "" then self.raw(all) end
end

--- Writes text above the footer.
---@param text string
function Live:write(text) put(self, text) end

--- Removes the footer while something else writes to the terminal: fn().
---@param fn fun()
function Live:aside(fn)
  if self.drawn then self.raw(ERASE) end
  self.drawn = false
  fn()
  put(self, "")
end

--- Takes the footer away while something stands on the terminal; or lets it come back.
---@param away boolean
function Live:hide(away)
  if away and self.drawn then self.raw(ERASE) end
  if away then self.drawn = false end
  self.away = away
end

--- Takes one event, after the tally and before the lines it causes.
---@param e orrery.JournalEvent
function Live:before(e)
  if e.ev == "run_started" then
    self.epoch = self.clock() - (e.t or 0)
  elseif e.ev == "run_finished" then
    self.over = true
    if self.drawn then self.raw(ERASE) end
    self.drawn = false
  end
end

--- Draws again, unless that was just done.
function Live:refresh()
  if self.clock() - (self.drawn_at or 0) >= BETWEEN then
    if self.drawn or not hidden(self) then put(self, "") end
  end
end

--- Keeps the footer's clocks going.
---@param loop orrery.Loop
function Live:attach(loop)
  local function arm()
    local id = loop.core:timer(TICK)
    loop:on(id, function()
      loop:on(id, nil)
      if self.over then return end
      self:refresh()
      arm()
    end)
  end
  arm()
end

--- A footer on a terminal.
---@param opts { state: table, raw: fun(text: string), paint: function, clock: fun(): number,
---  size?: fun(): integer?, integer? }
---@return orrery.Live
function live.new(opts)
  return setmetatable({ state = opts.state, raw = opts.raw, paint = opts.paint,
    clock = opts.clock, size = opts.size or term.size }, Live)
end

return live
