-- orrery resume [RUN]: goes on with a run that did not finish.
local args = require("orrery.face.args")
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local load = require("orrery.model.load")
local past = require("orrery.face.past")
local run = require("orrery.face.cmd.run")
local target = require("orrery.face.target")

local resume = {}

resume.usage = "orrery resume [RUN]"
resume.about = [[
Goes on with a run that failed, was interrupted or waits: what it finished is not repeated,
even what is never remembered. --force=STEP repeats a step all the same.]]
resume.flags = { "jobs", "keep-going", "quiet", "verbose", "yes", "force", "cache", "agent",
  "timeout", "budget", "resources", "json", "events", "junit", "trace", "summary", "output",
  "timestamps", "param" }
resume.examples = { { "orrery resume", "the last run" },
  { "orrery resume 7f3c --force=deploy", "that run, deploying again" } }

-- The first run of that name in a chain of resumptions knows what was asked for.
local function started(before)
  for _, e in ipairs(before.events) do
    if e.ev == "run_started" then return e end
  end
  errors.raise("state", ("run %s has no beginning in its journal"):format(before.id))
end

local function params_of(e, c)
  local params = {}
  for k, v in pairs(e.params or {}) do params[k] = v end
  for k, v in pairs(args.pairs(c.opts.param, "-p")) do params[k] = v end
  return params
end

-- The file the run was of; exec has none.
local function file_of(e, before)
  local st = e.file and require("orrery.core.fs").stat(e.file)
  if st and st.type == "file" then return e.file end
  errors.raise("usage", ("run %s cannot be resumed: %s"):format(before.id, e.workflow == "exec"
    and "it was a single command; give it again" or ("%s is not there any more"):format(e.file)))
end

--- Loads the run's workflow again and goes on.
---@param c table the invocation
---@return integer
function resume.main(c)
  local root = target.root()
  local before = past.open(root, c.words[1])
  local last = before.events[#before.events]
  if last and last.ev == "run_finished" and last.code == 0 then
    c.err(("run %s finished well; there is nothing to resume\n"):format(before.id))
    return 0
  end
  local e = started(before)
  local conf = config.load(e.root or root)
  local wf = load.file(file_of(e, before), { root = e.root or root, config = conf,
    params = params_of(e, c) })
  local options = run.options(c, e.targets or {})
  options.config, options.resume = conf, before.id
  options.only, options.from = e.only, e.from
  options.args = c.rest or e.args or {}
  return run.go(c, wf, options)
end

return resume
