-- One line about one step, the same in every display.
local words = require("orrery.face.words")

local line = {}

local colors = { ok = "green", ["up to date"] = "dim", restored = "cyan", failed = "red",
  skipped = "yellow", waiting = "yellow", cancelled = "yellow", allowed = "yellow",
  ["not started"] = "yellow" }

--- What a step came to, in a word.
---@param step table of a tally
---@return string
function line.word(step)
  if step.status == "failed" and step.allowed then return "allowed" end
  if step.why == "waiting" then return "waiting" end
  if step.cached == "clean" then return "up to date" end
  if step.cached then return "restored" end
  return step.status or "running"
end

local function skipped_note(step)
  if step.why == "when" then return "its condition is false" end
  if step.why == "waiting" then return "waits for " .. (step.cause or "an approval") end
  if step.cause then return step.cause .. " failed" end
  return ({ stopped = "the run stopped before it", filtered = "not asked for" })[step.why]
    or step.why
end

local function notes(step)
  if step.status == "skipped" then return { skipped_note(step) } end
  local out = {}
  if not step.cached and step.seconds then out[1] = words.seconds(step.seconds) end
  if step.status == "failed" or step.status == "cancelled" then
    local err = step.error
    out[#out + 1] = err and words.brief(err.message or "", 120) or nil
  elseif step.reason and step.reason ~= "" then
    out[#out + 1] = step.reason
  end
  if (step.attempts or 1) > 1 then out[#out + 1] = ("%d attempts"):format(step.attempts) end
  return out
end

--- "ok          build  1.2 s · src/a.c changed"
---@param step table of a tally
---@param paint function
---@return string
function line.of(step, paint)
  local word = line.word(step)
  local list = notes(step)
  local text = #list > 0 and "  " .. paint("dim", table.concat(list, " · ")) or ""
  return ("%s %s%s"):format(paint(colors[word] or "bold", ("%-10s"):format(word)), step.id, text)
end

return line
