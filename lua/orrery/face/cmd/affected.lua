-- orrery affected [WORKFLOW] [STEP…]: the steps that what changed since a base touches.
local args = require("orrery.face.args")
local changes = require("orrery.run.changes")
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local target = require("orrery.face.target")
local words = require("orrery.face.words")

local affected = {}

affected.usage = "orrery affected [WORKFLOW] [STEP…] [-]"
affected.about = [[
Says which steps the files touch that changed since BASE, and why: committed, staged,
edited and new files, counted from the commit where HEAD left BASE, and all that depends on
them. Without --base: what GitHub or GitLab name, else origin/HEAD, origin/main,
origin/master, main, master. With - the changed files are read from standard input, a path a
line or NUL-separated, relative to the root. Nothing is executed.]]
affected.flags = { "base", "param", "json", "exit-code", "quiet", "strict" }
affected.examples = { { "orrery affected", "steps of the default workflow, a reason for each" },
  { "orrery affected ci --base=v1.2 --exit-code", "exit 10 when there is something" },
  { "git diff --name-only main... | orrery affected ci -", "of a list of files" },
  { "orrery run ci --affected", "runs them, with what they need" } }
affected.notes = [[
A step that declares no inputs is chosen by no file, only by what it needs. Exit codes:
0 · 10 with --exit-code when there is something · 2 no such base, no repository · 5 the
clone is too shallow; the message has the command that mends it.]]

-- Words without the "-" that stands for standard input.
local function split(list)
  local out, listed = {}, false
  for _, word in ipairs(list) do
    if word == "-" then listed = true else out[#out + 1] = word end
  end
  return out, listed
end

local function base_of(opts)
  local given = opts.affected ~= true and opts.affected or nil
  if given == "" then errors.raise("usage", "--affected=: the base is empty") end
  if given and opts.base and given ~= opts.base then
    errors.raise("usage", ("--affected=%s and --base=%s name two bases"):format(given, opts.base))
  end
  return given or opts.base
end

local function warn_outside(c, found)
  if #found.outside == 0 then return end
  c.err(("orrery: warning: outside the root, ignored: %s\n"):format(words.some(found.outside, 6)))
end

--- The changes a command line means: since a base, or listed on standard input.
---@param c table the invocation
---@param root string
---@param listed? boolean
---@return orrery.Changes
function affected.changes(c, root, listed)
  local base = base_of(c.opts)
  if not listed and base ~= "-" then return changes.since(root, base) end
  if base and base ~= "-" then
    errors.raise("usage", "a list of files has no base: give either - or a base")
  end
  local found = changes.listed(root, io.read("a") or "")
  warn_outside(c, found)
  return found
end

local function document(found)
  local files, steps = pack.array({}), pack.array({})
  for i, path in ipairs(found.changes.files) do files[i] = path end
  for i, one in ipairs(found.steps) do steps[i] = { id = one.id, why = one.why } end
  return { base = found.changes.base or pack.null, why = found.changes.why,
    merge_base = found.changes.merge_base or pack.null, files = files, steps = steps }
end

local function show(c, found)
  if c.opts.json then
    c.out(json.encode(document(found), { lossy = true, indent = 2 }) .. "\n")
    return
  end
  if not c.opts.quiet then
    c.err(("%s affected %s%s\n"):format(#found.steps == 0 and "no step is"
      or words.count(#found.steps, "step") .. (#found.steps == 1 and " is" or " are"),
      found.changes.base and "" or "by ", words.since(found.changes)))
  end
  for _, one in ipairs(found.steps) do c.out(("%s: %s\n"):format(one.id, one.why)) end
end

--- The affected steps of a loaded workflow, for run and plan.
---@param c table the invocation
---@param wf orrery.Workflow
---@param conf orrery.Config
---@param steps string[]
---@return orrery.Affected
function affected.of(c, wf, conf, steps, listed)
  return require("orrery.run.changes.affected").of(wf, affected.changes(c, wf.root, listed),
    { config = conf, params = args.pairs(c.opts.param, "-p"), targets = steps })
end

--- Prints them.
---@param c table the invocation
---@return integer
function affected.main(c)
  local names, listed = split(c.words)
  local wf, steps, conf = target.need(names, args.pairs(c.opts.param, "-p"), c.opts)
  require("orrery.face.cmd.run").refuse_warnings(c, wf)
  local found = affected.of(c, wf, conf, steps, listed)
  show(c, found)
  return c.opts["exit-code"] and #found.steps > 0 and 10 or 0
end

return affected
