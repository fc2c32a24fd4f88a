-- orrery run [WORKFLOW] [STEP…] [-- ARGS]
local args = require("orrery.face.args")
local errors = require("orrery.kernel.errors")
local executors = require("orrery.kernel.lazy")("orrery.run.agents.executors")
local sys = require("orrery.core.sys")
local term = require("orrery.core.term")

local run = {}

run.usage = "orrery run [WORKFLOW] [STEP…] [-- ARGS]"
run.closes = true -- all it opens
run.about = [[
Runs a workflow, or some of its steps with what they need. WORKFLOW is a name
(workflows/NAME.lua or .yaml) or a path; without one, the default of orrery.lua runs.
STEP is an id or a glob over ids. What is up to date is left alone.]]
run.flags = { "jobs", "keep-going", "dry-run", "param", "quiet", "verbose", "yes", "only", "from",
  "affected", "base", "force", "cache", "agent", "timeout", "budget", "resources", "json",
  "events", "junit", "trace", "report", "summary", "output", "timestamps", "strict",
  "sequential-fallback", "durable" }
run.examples = { { "orrery run", "the default workflow" },
  { "orrery run site -j8", "workflows/site.lua, eight steps at once" },
  { "orrery run release -p version=1.4.0", "with a param" },
  { "orrery run ci --affected=origin/main", "what a branch touches, with what that needs" },
  { "orrery run app 'test:*' -k", "some steps with what they need, past failures" },
  { "orrery run app -- --fast", "{{args}} in its steps is --fast" } }
run.notes = [[
Exit codes: 0 all well · 1 a step failed · 2 usage · 3 invalid workflow · 4 a gate or an
approval refused · 6 budget · 8 waits for approval · 124 --timeout · 130 interrupted.]]

local function chosen(list)
  if not list then return nil end
  for _, v in ipairs(list) do
    if v == true then return true end
  end
  return list
end

--- Executors by role, of --agent; a command without a role is for all.
---@param list string[]?
---@return table<string, string>
function run.agents(list)
  local out = {}
  for _, item in ipairs(list or {}) do
    local name, cmd = item:match("^([%w%*_%.%-]+)=(.*)$")
    if name then
      out[name] = cmd
    else
      out["*"] = item
    end
  end
  return out
end

local function budget_of(list)
  if not list then return nil end
  local raw = args.pairs(list, "--budget", true)
  for k, v in pairs(raw) do raw[k] = tonumber(v) or v end
  return require("orrery.model.clauses").budget(raw, function(text, hint)
    errors.raise("usage", "--budget: " .. text, { hint = hint })
  end)
end

--- Run options from flags; shared by run, plan and resume.
---@param c table the invocation
---@param steps string[]
---@return orrery.RunOptions
function run.options(c, steps)
  local opts = c.opts
  return {
    jobs = opts.jobs, keep_going = opts["keep-going"], targets = #steps > 0 and steps or nil,
    only = opts.only, from = opts.from, force = chosen(opts.force), cache = opts.cache,
    args = c.rest or {}, agents = run.agents(opts.agent), timeout = opts.timeout,
    budget = budget_of(opts.budget), strict = opts.strict,
    resources = args.pairs(opts.resources, "--resources", true),
    sequential_fallback = opts["sequential-fallback"], yes = chosen(opts.yes), sinks = {},
    durable = opts.durable,
    base = opts.base or type(opts.affected) == "string" and opts.affected or nil,
  }
end

-- Nothing named and no default: the list says what could be.
local function offer(c)
  local list, target = require("orrery.face.cmd.list"), require("orrery.face.target")
  local on_terminal = term.is_tty(1)
  target.some()
  list.main({ opts = {}, words = {}, out = on_terminal and c.out or c.err, err = c.err })
  if on_terminal then
    c.err("\nname one: orrery run NAME; default = \"NAME\" in orrery.lua makes it the default\n")
    return 0
  end
  target.unnamed("run")
end

--- With --affected: the steps that are, into the options.
---@param c table the invocation
---@param wf orrery.Workflow
---@param options orrery.RunOptions
function run.narrow(c, wf, options)
  if not c.opts.affected then return end
  options.affected = require("orrery.face.cmd.affected").of(c, wf, options.config,
    options.targets)
end

--- Under --strict a warning of the check is an error. Raises code "invalid".
---@param c table the invocation
---@param wf orrery.Workflow
function run.refuse_warnings(c, wf)
  local list = {}
  for _, m in ipairs(c.opts.strict and wf.warnings or {}) do
    if m.level == "warning" then
      list[#list + 1] = setmetatable({ level = "error" }, { __index = m })
    end
  end
  if #list > 0 then errors.invalid(list) end
end

local function report_warnings(c, wf)
  for _, m in ipairs(wf.warnings or {}) do
    if m.level ~= "note" then c.err(errors.line(m) .. "\n") end
  end
end

-- What stops the run is said before what does not.
local function check_executors(wf, options)
  for _, step in ipairs(wf.steps) do
    if step.kind == "agent" or step.kind == "workflow" then
      return executors.check({ workflow = wf, opts = options, config = options.config })
    end
  end
end

--- Runs a loaded workflow under the displays the flags ask for.
---@param c table the invocation
---@param wf orrery.Workflow
---@param options orrery.RunOptions
---@return integer exit code
---@return orrery.RunRecord
function run.go(c, wf, options)
  local displays = require("orrery.face.displays").new(c)
  options.sinks[#options.sinks + 1] = function(e) displays:event(e) end
  local loop <close> = require("orrery.kernel.loop").new()
  displays:attach(loop)
  options.loop, options.live, options.argv = loop, displays.wants_output, c.argv
  options.ask = displays.ask
  options.full_events = options.full_events or displays.live ~= nil
  if not options.targets then check_executors(wf, options) end
  if not c.opts.quiet then report_warnings(c, wf) end
  local record = require("orrery.run.engine").run(wf, options)
  displays:close()
  return record.code, record
end

-- The whole stream of events is for reports; what people see of a clean run is its end.
local full = { "json", "events", "junit", "trace", "report", "summary", "verbose" }

local function is_full(c)
  for _, name in ipairs(full) do
    if c.opts[name] ~= nil then return true end
  end
  return false
end

local function replay(c, clean, found, began)
  local displays = require("orrery.face.displays").new(c)
  clean.replay(found, { argv = c.argv, began = began, all = displays.live ~= nil or is_full(c),
    sink = function(e) displays:event(e) end })
  displays:close()
  return 0
end

-- The run in which nothing changed, or only files of some steps; nil when there is more to it.
local function again(c, asked, began)
  local clean = require("orrery.run.unchanged.clean")
  local found = clean.find(asked)
  if not found then return nil end
  if not found.changed then return replay(c, clean, found, began) end
  local part = require("orrery.run.unchanged.partial").of(found)
  if not part then return nil end
  local start = found.k.meta.start
  local options = run.options(c, {})
  options.targets, options.partial, options.full_events = start.targets, part, is_full(c)
  options.config, options.remember, options.brief = part.config, asked, true
  return (run.go(c, part.workflow, options))
end

--- Runs the command.
---@param c table the invocation
---@return integer exit code
function run.main(c)
  local began = sys.mono()
  local asked = require("orrery.run.unchanged.clean").asked(c.words, c.opts, c.rest)
  local code = asked and again(c, asked, began)
  if code then return code end
  local target = require("orrery.face.target")
  local wf, steps, conf = target.load(c.words, args.pairs(c.opts.param, "-p"), c.opts)
  if not wf then return offer(c) end
  run.refuse_warnings(c, wf)
  local options = run.options(c, steps)
  require("orrery.face.named").check(wf, options, conf)
  options.config, options.remember = conf, asked
  run.narrow(c, wf, options)
  if c.opts["dry-run"] then return require("orrery.face.cmd.plan").show(c, wf, options) end
  options.brief = true
  return run.go(c, wf, options)
end

return run
