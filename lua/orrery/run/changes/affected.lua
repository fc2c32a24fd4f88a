-- Which steps some changed files affect, and why: those that read one of them, those whose
-- definition changed, and all that depends on such a step.
local definitions = require("orrery.run.changes.definitions")
local errors = require("orrery.kernel.errors")
local expr = require("orrery.model.expr")
local fs = require("orrery.core.fs")
local index = require("orrery.core.index")
local inputs = require("orrery.run.keys.inputs")
local load = require("orrery.model.load")
local selection = require("orrery.run.graph.selection")
local state = require("orrery.run.records.state")
local touched = require("orrery.run.changes.touched")

local affected = {}

-- How deep workflows are looked into; run.nested ends there too.
local DEPTH = 16

---@class orrery.Affected
---@field changes orrery.Changes
---@field steps { id: string, why: string }[]  in file order

-- "src/a.c changed (and 2 more)"
local function say(changes, found)
  if #found == 0 then return nil end
  local text = changes:say(found[1])
  return #found == 1 and text or ("%s (and %d more)"):format(text, #found - 1)
end

-- Is the file a tracked output of a step? An untracked one is what the last run left.
local function output_of(at, path)
  local owner = inputs.owner(at.view, path)
  return owner, owner ~= nil and at.changes.status[path] == "?"
end

local function by_files(at, reader)
  local found = {}
  for _, path in ipairs(at.changes.files) do
    local owner = output_of(at, path)
    if reader:names(path) and (not owner or owner == reader.id) then
      found[#found + 1] = path
    elseif not owner and reader:matches(path) then
      found[#found + 1] = path
    end
  end
  return say(at.changes, found)
end

-- What a .gitignore hides, or no longer does, a glob sees otherwise.
local function by_ignore_files(at, reader)
  for _, path in ipairs(at.ignores) do
    if reader:looks_into(path:match("^(.*)/[^/]*$") or "", true) then
      return at.changes:say(path) .. ", which decides what its globs see"
    end
  end
end

local function by_own_outputs(at)
  local out = {}
  for _, path in ipairs(at.changes.files) do
    local owner, left = output_of(at, path)
    if owner and not left and not out[owner] then
      out[owner] = ("its output %s"):format(at.changes:say(path))
    end
  end
  return out
end

-- The globs that a condition asks about: changed("docs/**").
local function by_condition(at, step)
  if type(step.when) ~= "string" then return nil end
  for _, glob in ipairs(expr.changed_globs(step.when)) do
    local why = say(at.changes, at.changes:matching(glob))
    if why then return why .. ", which its condition asks about" end
  end
end

local judge

-- A step that is a workflow is affected when one of its steps is.
local function by_inner(at, step)
  if step.kind ~= "workflow" or type(step.action) ~= "string" or at.depth >= DEPTH then
    return nil
  end
  local ok, wf = pcall(function()
    local path = load.find(step.action, at.wf.root, at.config)
    return path and load.file(path, { root = at.wf.root, config = at.config, inspect = true })
  end)
  if not ok or not wf then return nil end
  local steps = judge(wf, at, nil)
  return steps[1] and ("its step %s: %s"):format(steps[1].id, steps[1].why) or nil
end

local function directly(at, step)
  if at.changes.all then return at.changes.why end
  local reader = touched.reader(step, at.wf, at.schemas, at.past)
  at.readers[step.id] = reader
  local why = at.defined[step.id] or by_files(at, reader) or at.outputs[step.id]
    or by_ignore_files(at, reader) or by_condition(at, step) or by_inner(at, step)
  if why or not reader.unknown or #at.sources == 0 then return why end
  return ("%s, and %s is not known: no record of it is here"):format(
    say(at.changes, at.sources), reader.unknown)
end

---------------------------------------------------------------------------
-- what depends on them

-- The affected step that an id stands for: itself, or a member of a group.
local function among(at, id)
  local unit = at.wf.by_id[id]
  if not unit or at.why[id] then return at.why[id] and id or nil end
  for _, member in ipairs(unit.members or {}) do
    local found = among(at, member.id)
    if found then return found end
  end
end

-- May the step read results of steps it is only ordered after?
local function may_read_results(step)
  if step.kind ~= "run" or type(step.when) == "function" then return true end
  local list = { step.when or "" }
  local function words(v)
    if type(v) == "string" then list[#list + 1] = v end
    for _, one in pairs(type(v) == "table" and v or {}) do words(one) end
  end
  words(step.action)
  words(step.with)
  words(step.env and step.env.set)
  return table.concat(list, "\n"):find("results", 1, true) ~= nil
end

-- Does a step read what an affected one before it makes, though it is only ordered after it?
local function reads_output(reader, maker)
  for _, spec in ipairs(maker.outputs or {}) do
    local path = spec.path
    local open = path:find("{{", 1, true)
    if spec.glob or spec.dir or open then
      local dir = (open and path:sub(1, open - 1) or path):match("^[^*?%[{]*")
      if spec.glob or open then dir = dir:match("^(.*)/") or "" end
      if reader:looks_into(dir) then return path end
    elseif reader:names(path) or reader:matches(path) then
      return path
    end
  end
end

local function by_need(at, step)
  for _, id in ipairs(step.needs) do
    local found = among(at, id)
    if found then
      local path = step.implied and step.implied[id]
      return path and not path:find("{{", 1, true) and ("reads %s, an output of %s")
        :format(path, found) or "needs " .. found
    end
  end
end

local function by_order(at, step)
  if #step.after > 0 and may_read_results(step) then
    for _, id in ipairs(step.after) do
      local found = among(at, id)
      if found then return ("may read the result of %s"):format(found) end
    end
  end
  local reader = at.ordered and at.readers[step.id]
  if not reader or (#reader.globs == 0 and not next(reader.literal)) then return nil end
  local before = at.wf.graph:upstream(step.id)
  for _, maker in ipairs(at.wf.steps) do
    if at.why[maker.id] and before[maker.id] then
      local path = reads_output(reader, maker)
      if path then return ("reads %s, an output of %s"):format(path, maker.id) end
    end
  end
end

local function has_order(wf)
  for _, step in ipairs(wf.steps) do
    if #step.after > 0 then return true end
  end
  return false
end

---------------------------------------------------------------------------

local function sources_of(at)
  local out, ignores = {}, {}
  for _, path in ipairs(at.changes.files) do
    if not inputs.owner(at.view, path) and path:sub(1, 3) ~= "../" then out[#out + 1] = path end
    if path:match("[^/]*$") == ".gitignore" then ignores[#ignores + 1] = path end
  end
  at.sources, at.ignores = out, ignores
end

-- In an order in which what a step needs is judged before it.
function judge(wf, outer, params)
  local at = { wf = wf, config = outer.config, changes = outer.changes, depth = outer.depth + 1,
    view = { workflow = wf }, why = {}, readers = {}, schemas = {}, ordered = has_order(wf),
    past = touched.records(wf, outer.index, outer.store), index = outer.index,
    store = outer.store }
  sources_of(at)
  at.defined = at.changes.all and {} or definitions.changed(wf, at.changes, params)
  at.outputs = by_own_outputs(at)
  for _, step in ipairs(wf.graph.order) do
    at.why[step.id] = directly(at, step) or by_need(at, step) or by_order(at, step)
  end
  local out = {}
  for _, step in ipairs(wf.steps) do
    if at.why[step.id] then out[#out + 1] = { id = step.id, why = at.why[step.id] } end
  end
  return out
end

-- Only those among the named steps and groups.
local function among_named(wf, steps, names)
  if not names or #names == 0 then return steps end
  local wanted, out = selection.of(wf, { targets = names, only = true }), {}
  for _, one in ipairs(steps) do
    if wanted[one.id] then out[#out + 1] = one end
  end
  return out
end

--- The affected steps of a workflow. Raises code "usage" for one with a body.
---@param wf orrery.Workflow
---@param changes orrery.Changes
---@param opts { config: orrery.Config, params?: table, targets?: string[] }
---@return orrery.Affected
function affected.of(wf, changes, opts)
  if wf.body then
    errors.raise("usage", ("%s has a body: its steps are known only while it runs"):format(wf.name),
      { hint = ("orrery run %s repeats only what changed"):format(wf.name) })
  end
  local dir = state.cache_dir(wf.root, os.getenv("ORRERY_CACHE_DIR")
    and { ORRERY_CACHE_DIR = os.getenv("ORRERY_CACHE_DIR") } or {})
  local ix = fs.stat(wf.root .. "/.orrery/index") and index.open(wf.root .. "/.orrery/index")
  local store = ix and fs.stat(dir) and state.store(dir, opts.config)
  local _ <close> = setmetatable({}, { __close = function()
    if store then store:close() end
    if ix then ix:close() end
  end })
  local steps = judge(wf, { config = opts.config, changes = changes, depth = 0, index = ix or nil,
    store = store or nil }, opts.params)
  return { changes = changes, steps = among_named(wf, steps, opts.targets) }
end

return affected
