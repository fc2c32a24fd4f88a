-- orrery plan [WORKFLOW] [STEP…]: what a run would do, and why.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")
local words = require("orrery.face.words")

local plan = {}

plan.usage = "orrery plan [WORKFLOW] [STEP…]"
plan.about = [[
Says for each step what a run would do: run it, take it from the cache (hit), maybe run it,
depending on what comes before, or skip it. Nothing is executed.]]
plan.flags = { "param", "jobs", "only", "from", "affected", "base", "force", "cache", "agent",
  "strict", "json", "exit-code", "quiet" }
plan.examples = { { "orrery plan site", "every step with its verdict and reason" },
  { "orrery plan site --exit-code", "exit 10 when there is work: for scripts" } }

local colors = { run = "green", hit = "dim", maybe = "yellow", skip = "dim" }

local function why(entry)
  if entry.verdict == "maybe" and entry.after then
    return "after " .. entry.after .. (entry.cause and ": " .. entry.cause or "")
  end
  if entry.made then return "to restore, made in " .. entry.made end
  return entry.reason or ""
end

local function summary(entries)
  local n, order = {}, { "run", "maybe", "hit", "skip" }
  local say = { run = "to run", maybe = "perhaps", hit = "up to date", skip = "to skip" }
  for _, e in ipairs(entries) do n[e.verdict] = (n[e.verdict] or 0) + 1 end
  local parts = {}
  for _, v in ipairs(order) do
    if n[v] then parts[#parts + 1] = ("%d %s"):format(n[v], say[v]) end
  end
  return #entries == 0 and "nothing to do" or table.concat(parts, ", "), n
end

--- Prints the plan of a loaded workflow; run -n ends here too.
---@param c table the invocation
---@param wf orrery.Workflow
---@param options orrery.RunOptions
---@return integer
function plan.show(c, wf, options)
  local entries = require("orrery.run.engine").plan(wf, options)
  local text, n = summary(entries)
  local work = n.run or n.maybe
  if c.opts.json then
    local counts = {}
    for k, v in sorted.pairs(n) do counts[k] = v end
    c.out(json.encode({ workflow = wf.name, steps = pack.array(entries), counts = counts,
      work = work ~= nil }, { lossy = true, indent = 2 }) .. "\n")
  else
    local paint = require("orrery.face.color").painter(c.opts.color, 1)
    local rows = {}
    for _, e in ipairs(entries) do
      if not c.opts.quiet or e.verdict == "run" or e.verdict == "maybe" then
        rows[#rows + 1] = { paint(colors[e.verdict] or "bold", e.verdict), e.id, why(e) }
      end
    end
    for _, line in ipairs(words.columns(rows)) do c.out(line .. "\n") end
    if not c.opts.quiet then
      c.out(("%s: %s\n"):format(words.count(#entries, "step"), text))
    end
  end
  return c.opts["exit-code"] and work and 10 or 0
end

--- Loads and prints.
---@param c table the invocation
---@return integer
function plan.main(c)
  local run = require("orrery.face.cmd.run")
  local target = require("orrery.face.target")
  local wf, steps, conf = target.need(c.words,
    require("orrery.face.args").pairs(c.opts.param, "-p"), c.opts)
  run.refuse_warnings(c, wf)
  local options = run.options(c, steps)
  require("orrery.face.named").check(wf, options, conf)
  options.config = conf
  run.narrow(c, wf, options)
  return plan.show(c, wf, options)
end

return plan
