-- orrery list [WORKFLOW…]
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local listing = require("orrery.run.unchanged.listing")
local load = require("orrery.model.load")
local pack = require("orrery.core.pack")
local target = require("orrery.face.target")
local words = require("orrery.face.words")

local list = {}

list.usage = "orrery list [WORKFLOW…]"
list.about = "Lists the workflows with what they are for; of named ones, their steps."
list.flags = { "json", "verbose", "param" }
list.examples = { { "orrery list", "all workflows" }, { "orrery list site", "the steps of site" },
  { "orrery list -v", "all workflows with their steps" } }

local function steps_of(wf)
  local out = pack.array({})
  for i, s in ipairs(wf.steps) do
    out[i] = { id = s.id, kind = s.kind, doc = s.doc, group = s.group and s.group.id ~= ""
      and s.group.id or nil }
  end
  return out
end

local function params_of(wf)
  local out = pack.array({})
  for name in require("orrery.kernel.sorted").pairs(wf.params) do out[#out + 1] = name end
  return out
end

--- What is known of each workflow of a root, steps too when `deep`.
---@param root string
---@param conf orrery.Config
---@param deep? boolean
---@return table[]
function list.of(root, conf, deep)
  local out = pack.array({})
  for _, w in ipairs(deep and load.list(root, conf) or listing.of(root, conf)) do
    local entry = { name = w.name, path = w.path:sub(#root + 2), doc = w.doc, error = w.error,
      default = conf.default == w.name or nil }
    if deep and w.workflow then
      entry.steps, entry.params = steps_of(w.workflow), params_of(w.workflow)
    end
    out[#out + 1] = entry
  end
  return out
end

local function named(c)
  local out, params = pack.array({}), require("orrery.face.args").pairs(c.opts.param, "-p")
  for i, word in ipairs(c.words) do
    local wf, rest = target.need({ word }, params, { inspect = true })
    if #rest > 0 then
      errors.raise("usage", ("'%s' is a step of %s"):format(word, wf.name),
        { hint = ("orrery show %s"):format(word) })
    end
    out[i] = { name = wf.name, path = wf.file:sub(#wf.root + 2), doc = wf.doc,
      steps = steps_of(wf), params = params_of(wf) }
  end
  return out
end

local function step_lines(c, entry, indent)
  local rows = {}
  for i, s in ipairs(entry.steps) do
    rows[i] = { s.id, s.kind, s.doc and words.brief(s.doc, 60) or "" }
  end
  if #rows == 0 then c.out(indent .. "(its steps come up as it runs)\n") end
  for _, line in ipairs(words.columns(rows, indent)) do c.out(line .. "\n") end
end

local function head(entry)
  local doc = entry.error and "cannot be loaded: " .. words.brief(entry.error, 100)
    or entry.doc and words.brief(entry.doc, 80) or ""
  return { entry.name .. (entry.default and " *" or ""), doc }
end

local function print_all(c, entries)
  local rows, starred = {}, false
  for i, e in ipairs(entries) do
    rows[i] = head(e)
    starred = starred or e.default
  end
  local lines = words.columns(rows)
  for i, e in ipairs(entries) do
    c.out(lines[i] .. "\n")
    if e.steps then step_lines(c, e, "  ") end
  end
  if starred and not c.opts.verbose then c.err("* the default: orrery run\n") end
end

--- Prints the workflows of the current root, as `orrery run` without a default does too.
---@param c table the invocation
---@return integer
function list.main(c)
  local entries
  if #c.words > 0 then
    entries = named(c)
  else
    local root, conf = target.root()
    entries = list.of(root, conf, c.opts.verbose or c.opts.json)
  end
  if c.opts.json then
    c.out(json.encode(entries, { lossy = true, indent = 2 }) .. "\n")
  elseif #entries == 0 then
    c.err("there are no workflows here; orrery init writes a first one to workflows/\n")
  else
    print_all(c, entries)
  end
  return 0
end

return list
