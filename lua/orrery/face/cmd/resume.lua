-- orrery resume [RUN]: goes on with a run that did not finish.
local args = require("orrery.face.args")
local budget = require("orrery.run.agents.budget")
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local load = require("orrery.model.load")
local named = require("orrery.face.named")
local past = require("orrery.face.past")
local run = require("orrery.face.cmd.run")
local runs = require("orrery.run.records.runs")
local selection = require("orrery.run.graph.selection")
local sorted = require("orrery.kernel.sorted")
local target = require("orrery.face.target")

local resume = {}

resume.usage = "orrery resume [RUN]"
resume.about = [[
Goes on with a run that failed, was interrupted or waits: what it finished is not repeated,
even what is never remembered. --force=STEP repeats a step all the same, --from=STEP that step
and all that depends on it. What asked for an approval goes on when it was given.]]
resume.flags = { "from", "jobs", "keep-going", "quiet", "verbose", "yes", "force", "cache",
  "agent", "timeout", "budget", "resources", "json", "events", "junit", "trace", "report",
  "summary", "output", "timestamps", "param" }
resume.examples = { { "orrery resume", "the last run" },
  { "orrery resume 7f3c --force=deploy", "that run, deploying again" },
  { "orrery resume --from=3.5", "step 3.5 again, and what depends on it" } }

-- The first run of that name in a chain of resumptions knows what was asked for.
local function started(before)
  for _, e in ipairs(before.events) do
    if e.ev == "run_started" then return e end
  end
  if #before.events == 0 then
    errors.raise("state", ("run %s was ended before it began"):format(before.id),
      { hint = "start it again: orrery run" })
  end
  errors.raise("state", ("run %s has no beginning in its journal"):format(before.id))
end

-- What the run was given, and what is given now, which counts.
local function over(before, now)
  local out = {}
  for k, v in pairs(before or {}) do out[k] = v end
  for k, v in pairs(now) do out[k] = v end
  return out
end

local function params_of(e, c) return over(e.params, args.pairs(c.opts.param, "-p")) end

-- The file the run was of; exec has none. The run may have been carried here from another
-- root: then it is the same file of this one.
local function file_of(e, before, root)
  local file = e.file
  if file and e.root and file:sub(1, #e.root + 1) == e.root .. "/" then
    file = root .. file:sub(#e.root + 1)
  end
  local st = file and require("orrery.core.fs").stat(file)
  if st and st.type == "file" then return file end
  errors.raise("usage", ("run %s cannot be resumed: %s"):format(before.id, e.workflow == "exec"
    and "it was a single command; give it again"
    or (file or "its file") .. " is not there any more"))
end

-- The run to go on with: the last of those that went on with the one that is named.
local function find(c, root)
  local id = past.id(root, c.words[1])
  local tip = runs.tip(root, id)
  if tip ~= id then
    c.err(("run %s was gone on with; this goes on with run %s\n"):format(id, tip))
  end
  return past.open(root, tip), runs.summary(root, tip).status
end

-- What --from=STEP repeats: the step and all that depends on it.
local function repeated(wf, step, force)
  if force == true then return true end
  local list = table.move(force or {}, 1, #(force or {}), 1, {})
  for id in sorted.pairs(selection.of(wf, { from = step })) do list[#list + 1] = id end
  return list
end

--- Loads the run's workflow again and goes on.
---@param c table the invocation
---@return integer
function resume.main(c)
  local root = target.root()
  local before, status = find(c, root)
  if status == "ok" and not c.opts.from then
    c.err(("run %s finished well; there is nothing to resume\n"):format(before.id))
    return 0
  end
  local e = started(before)
  local conf = config.load(root)
  local wf = load.file(file_of(e, before, root), { root = root, config = conf,
    params = params_of(e, c) })
  local options = run.options(c, e.targets or {})
  named.check(wf, options, conf)
  options.config, options.resume = conf, before.id
  options.only, options.from = e.only, e.from
  options.agents = over(e.agents, options.agents)
  options.budget = budget.limits(options.budget, e.budget)
  if c.opts.from then options.force = repeated(wf, c.opts.from, options.force) end
  options.args = c.rest or e.args or {}
  options.brief = true
  return run.go(c, wf, options)
end

return resume
