-- Why a step ran or did not, and what a run would do with it now, in words.
local errors = require("orrery.kernel.errors")
local line = require("orrery.face.show.line")
local runs = require("orrery.run.records.runs")
local sys = require("orrery.core.sys")
local words = require("orrery.face.words")

local reasons = {}

--- Why a step of a finished run came to what it came to, in one line.
---@param step table of a tally
---@return string
function reasons.past(step)
  if step.cached == "clean" then return "nothing that it depends on changed" end
  if step.cached == "resumed" then return "the run that was resumed had finished it" end
  if step.cached then
    return "its result was in the cache" .. (step.reason and ", " .. step.reason or "")
      .. "; outputs were put back"
  end
  if step.status == "skipped" then
    if step.why == "when" then return "its condition (when) is false" end
    return step.cause and ("%s did not succeed"):format(step.cause) or step.why
  end
  if step.status == "not started" then return "the run ended before it" end
  return step.reason or "no reason was recorded"
end

-- A reason and, each one deeper, what is behind it.
local function write(out, paint, list)
  for _, r in ipairs(list) do
    out("    " .. errors.text(r.text) .. "\n")
    for i, link in ipairs(r.chain or {}) do
      local text = link.text:find(link.step, 1, true) == 1 and link.text
        or ("%s: %s"):format(link.step, link.text)
      out(("%s%s\n"):format(("  "):rep(i + 2), paint("dim", "because of " .. text)))
    end
  end
end

local function name_of(at)
  return at.run.id == runs.latest(at.root) and "last run" or "run " .. at.run.id
end

local function print_past(out, paint, at, step)
  local run = at.run
  local when = runs.time_of(run.id)
  local took = not step.cached and step.seconds and step.seconds > 0
    and ", " .. words.seconds(step.seconds) or ""
  out(("  %s %s%s%s\n"):format(paint("dim", ("%s (%s):"):format(name_of(at),
    when and words.ago(sys.wall() - when) or "?")), line.word(step), took,
    step.reasons and ", because" or ": " .. errors.text(reasons.past(step))))
  write(out, paint, step.reasons or {})
end

local VERDICTS = {
  skip = function(e) return "would skip it: " .. (e.reason or "") end,
  maybe = function(e)
    if e.after then
      return ("may run it, after %s%s"):format(e.after, e.cause and " (" .. e.cause .. ")" or "")
    end
    return "may run it: " .. (e.reason or "")
  end,
  hit = function(e)
    if not e.restore then return "would leave it alone: nothing that it depends on changed" end
    return "would put its outputs back from the cache"
      .. (e.made and ", made in " .. e.made or "")
  end,
  run = function(e)
    return e.reasons and "would run it, because" or "would run it: " .. (e.reason or "")
  end,
}

local function print_now(out, paint, at, id)
  local e = at.now[id]
  local text = e and VERDICTS[e.verdict](e)
    or "would show: it comes up only while a run goes on"
  out(("  %s a run %s\n"):format(paint("dim", "now:"), text))
  write(out, paint, e and e.verdict == "run" and e.reasons or {})
end

local function print_against(out, paint, compared)
  local head = ("  %s "):format(paint("dim", ("against run %s:"):format(compared.run)))
  if not compared.reasons then
    out(head .. compared.note .. "\n")
  elseif #compared.reasons == 0 then
    out(head .. "every part of its key is the same\n")
  else
    out(head .. words.count(#compared.reasons, "difference") .. "\n")
    write(out, paint, compared.reasons)
  end
end

--- Prints all that is known of one step.
---@param out fun(text: string)
---@param paint function
---@param at table { run?, before, now?, compared? } of explain
---@param id string
function reasons.print(out, paint, at, id)
  out(paint("bold", id) .. "\n")
  local step = at.before[id]
  if step then print_past(out, paint, at, step) end
  if not step and at.run then
    out(("  %s it was not part of it\n"):format(paint("dim", name_of(at) .. ":")))
  end
  if at.compared and at.compared[id] then print_against(out, paint, at.compared[id]) end
  if at.now then print_now(out, paint, at, id) end
end

return reasons
