-- orrery explain [STEP…]: why a step ran, or why it did not.
local color = require("orrery.face.color")
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local line = require("orrery.face.show.line")
local pack = require("orrery.core.pack")
local past = require("orrery.face.past")
local tally = require("orrery.face.show.tally")

local explain = {}

explain.usage = "orrery explain [STEP…]"
explain.about = [[
Says for steps of the last run (or of --run) why they ran, were restored, or were left
alone. Without STEP: for all that were not up to date.]]
explain.flags = { "run", "json" }
explain.examples = { { "orrery explain build", "why build ran" },
  { "orrery explain --run 7f3c", "all that was not up to date in that run" } }

local function why(step)
  if step.cached == "clean" then return "nothing that it depends on changed" end
  if step.cached then
    return "its result was in the cache; outputs were put back"
  end
  if step.status == "skipped" then
    if step.why == "when" then return "its condition (when) is false" end
    return step.cause and ("%s did not succeed"):format(step.cause) or step.why
  end
  if step.status == "not started" then return "the run ended before it" end
  return step.reason or "no reason was recorded"
end

local function chosen(run, ids)
  local out = {}
  for _, id in ipairs(ids) do out[#out + 1] = past.step(run, id) end
  if #ids > 0 then return out end
  for _, step in ipairs(tally.all(run.state)) do
    if step.cached ~= "clean" then out[#out + 1] = step end
  end
  return out
end

--- Prints the reasons.
---@param c table the invocation
---@return integer
function explain.main(c)
  local run = past.here(c.opts.run)
  local steps = chosen(run, c.words)
  if c.opts.json then
    local out = pack.array({})
    for i, s in ipairs(steps) do
      out[i] = { id = s.id, status = s.status, cached = s.cached, why = why(s) }
    end
    c.out(json.encode({ run = run.id, steps = out }, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local paint = color.painter(c.opts.color, 1)
  for _, s in ipairs(steps) do
    c.out(("%s  %s: %s\n"):format(paint("bold", s.id), line.word(s), errors.text(why(s))))
  end
  if #steps == 0 then c.out("everything was up to date\n") end
  return 0
end

return explain
