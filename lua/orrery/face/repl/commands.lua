-- Colon commands: sugar for the command line and for the o functions. Any command of the
-- command line works with a colon; those here know the session.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local names = require("orrery.face.commands").names
local proc = require("orrery.core.proc")

local commands = {}

local help = [[
:run [WORKFLOW] [STEP…]   run; steps of the workflow at hand need no name
:plan [WORKFLOW] [STEP…]  what that would do
:load FILE                run a script here; its globals stay
:reload                   read the workflow at hand again
:edit [STEP]              $EDITOR where the step (or the workflow) is written
:trace                    where the last error came from
:quit                     leave (so does Ctrl-D)
:COMMAND ARGS             any other command: :list, :check, :log STEP, :runs, :cache …
Expressions print their values; _ is the last one. o, fs, git, cache, json … are there.
]]

local verbs = {}

function verbs.help(r, words)
  if words[1] then return r.cli({ "help", words[1] }) end
  r.out(help)
end

function verbs.quit(r) r.over = true end
verbs.exit, verbs.q = verbs.quit, verbs.quit

function verbs.trace(r)
  local e = r.last_error
  r.out((e and e.traceback or "no error yet") .. "\n")
end

function verbs.load(r, words)
  if not words[1] then errors.raise("usage", ":load needs a file") end
  local ok, e = r.session:load(words[1])
  if not ok then error(e, 0) end
end

-- The words name a workflow, or steps of the one at hand.
local function find(r, words, opts)
  local target = require("orrery.face.target")
  local params = require("orrery.face.args").pairs(opts.param, "-p")
  local wf = r.workflow
  if wf and (words[1] == nil or wf.by_id[words[1]] or words[1]:find("[%*%?]")) then
    return wf, words, r.config
  end
  wf, words, r.config = target.need(words, params, opts)
  r.workflow = wf
  return wf, words, r.config
end

-- What was assigned to a step of the run at hand counts: run.steps.x.call = function…
local function take_over(r, wf)
  local run = rawget(r.session.env, "run")
  for id, result in pairs(type(run) == "table" and run.steps or {}) do
    local step = wf.by_id[id]
    local v = step and type(result) == "table" and rawget(result, step.kind)
    if v ~= nil then step.action = v end
  end
end

local function started(r, name, words)
  local flags = require("orrery.face.flags")
  local run = require("orrery.face.cmd.run")
  local command = require("orrery.face.commands").get(name)
  local opts, rest_words, rest = require("orrery.face.args").parse(words, 1,
    flags.set(command.flags), name)
  local wf, steps, conf = find(r, rest_words, opts)
  take_over(r, wf)
  local c = { name = name, opts = opts, words = rest_words, rest = rest, out = r.out, err = r.err,
    try = r.try, argv = words }
  local options = run.options(c, steps)
  require("orrery.face.named").check(wf, options, conf)
  options.config = conf
  return c, wf, options
end

function verbs.run(r, words)
  local c, wf, options = started(r, "run", words)
  local _, record = require("orrery.face.cmd.run").go(c, wf, options)
  rawset(r.session.env, "run", record)
end

function verbs.plan(r, words)
  local c, wf, options = started(r, "plan", words)
  require("orrery.face.cmd.plan").show(c, wf, options)
end

function verbs.reload(r)
  if not r.workflow then errors.raise("usage", "no workflow is at hand; :run or :plan one") end
  local wf = r.workflow
  r.config = require("orrery.model.config").load(wf.root)
  r.workflow = require("orrery.model.load").file(wf.file, { root = wf.root, config = r.config,
    params = wf.values })
  r.out(("%s: %d steps\n"):format(r.workflow.name, #r.workflow.steps))
end

function verbs.edit(r, words)
  local wf = r.workflow
  if not wf then errors.raise("usage", "no workflow is at hand; :run or :plan one") end
  local place = words[1] and require("orrery.face.target").item(wf, words[1]).place or wf.place
  local path = fs.at(wf.root, place.file)
  local editor = os.getenv("VISUAL") or os.getenv("EDITOR") or "vi"
  local argv = proc.split(editor) or { "/bin/sh", "-c", editor .. ' "$@"', "sh" }
  argv[#argv + 1] = "+" .. (place.line or 1)
  argv[#argv + 1] = path
  local ok, got = r.session:call(function()
    return require("orrery.kernel.loop").child({ argv = argv, stdin = "inherit",
      output = "inherit", tty = true })
  end)
  if not ok then error(got, 0) end
  if not got[1] then error(got[2], 0) end
end

--- The names, for completion and for suggestions.
---@return string[]
function commands.names()
  local out = names()
  for name in pairs(verbs) do
    if name ~= "run" and name ~= "plan" and name ~= "help" then out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

local function split(text)
  local words = proc.split(text)
  if words then return words end
  local out = {}
  for word in text:gmatch("%S+") do out[#out + 1] = word end
  return out
end

--- Does one colon command.
---@param r table the repl
---@param text string without the colon
function commands.perform(r, text)
  local words = split(text)
  local name = table.remove(words, 1) or "help"
  if verbs[name] then return verbs[name](r, words) end
  if require("orrery.face.commands").get(name) then
    table.insert(words, 1, name)
    return r.cli(words)
  end
  errors.raise("usage", ("there is no command :%s"):format(name),
    { hint = require("orrery.kernel.nearest").hint(name, commands.names()) or ":help lists them" })
end

return commands
