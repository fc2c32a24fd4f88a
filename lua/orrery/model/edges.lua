-- The edges nobody wrote: needs of a group reach its members, and an input that another
-- step declares as output implies a need. All by maps, never each against each.
local build = require("orrery.model.build")
local fs = require("orrery.core.fs")
local group = require("orrery.model.group")
local lazy = require("orrery.kernel.lazy")
local paths = lazy("orrery.model.paths")
local template = require("orrery.model.template")

local edges = {}

local known_now = { params = true, item = true, matrix = true }

--- A path whose templates are known while loading, rendered; nil when it is not known yet.
---@param spec orrery.PathSpec
---@param s orrery.Step
---@param values table<string, any> params
---@return string?
function edges.settled(spec, s, values)
  local path = spec.path
  if not path:find("{{", 1, true) then return path end
  local ok, text = pcall(function()
    for _, p in ipairs(template.roots(path)) do
      if not known_now[p[1]] then return nil end
    end
    return template.render(path, { params = values, item = s.item, matrix = s.matrix })
  end)
  return ok and type(text) == "string" and paths.normal(text) or nil
end

-- Checks what templates brought into an output.
local function check_rendered(report, s, spec, path)
  if path == spec.path then return end
  local why = paths.bad_output({ path = path })
  if why then report:error(report:at(s.node, "outputs"), why) end
end

local function claim_file(owners, s, path, report)
  local first = owners.files[path]
  if first and first ~= s then
    report:error(report:at(s.node, "outputs"), ("'%s' and '%s' both have the output '%s'")
      :format(first.id, s.id, path), ("the first is at %s"):format(group.where(first.place)))
  else
    owners.files[path] = s
  end
end

-- A glob is looked up by its fixed directory: "dist/**" by "dist", "*.o" by "".
local function claim_glob(owners, s, path)
  local dir = path:match("^[^*?%[{]*"):match("^(.*)/") or ""
  local list = owners.globs[dir] or {}
  list[#list + 1] = { step = s, pattern = path }
  owners.globs[dir] = list
end

local function claim(owners, s, values, report)
  for _, spec in ipairs(s.outputs) do
    local path = not spec.exclude and edges.settled(spec, s, values)
    if path then
      check_rendered(report, s, spec, path)
      if spec.glob then
        claim_glob(owners, s, path)
      else
        claim_file(owners, s, path, report)
      end
    end
  end
end

-- Who writes below each directory, made when an input directory asks.
local function below(owners)
  if owners.below then return owners.below end
  owners.below = {}
  for path, s in pairs(owners.files) do
    local dir = path:match("^(.*)/")
    while dir do
      owners.below[dir] = owners.below[dir] or {}
      owners.below[dir][s] = true
      dir = dir:match("^(.*)/")
    end
  end
  return owners.below
end

local function by_glob(owners, dir, path)
  for _, glob in ipairs(owners.globs[dir] or {}) do
    if fs.match(glob.pattern, path) then return glob.step end
  end
end

-- The step whose output is this directory or one above it; remembered per directory.
local function writer_of_dir(owners, dir)
  local known = owners.known[dir]
  if known ~= nil then return known end
  local up = dir:match("^(.*)/")
  local s = owners.files[dir] or up and writer_of_dir(owners, up) or false
  owners.known[dir] = s
  return s
end

-- The step that writes a path: as a file, because a directory above it is its output, or
-- by one of its globs.
local function writer(owners, path)
  local s = owners.files[path]
  if s then return s end
  local dir = path:match("^(.*)/")
  s = dir and writer_of_dir(owners, dir)
  if s or not next(owners.globs) then return s end
  while dir do
    s = by_glob(owners, dir, path)
    if s then return s end
    dir = dir:match("^(.*)/")
  end
  return by_glob(owners, "", path)
end

-- `asked` holds the needs that were written.
local function imply(s, other, path, asked)
  if other == s or s.implied[other.id] or asked[other.id] then return end
  build.own(s, "implied")[other.id] = path
  local needs = build.own(s, "needs")
  needs[#needs + 1] = other.id
end

local NONE = {}

local function set_of(list)
  local set = {}
  for _, v in ipairs(list) do set[v] = true end
  return set
end

local function imply_directory(s, owners, path, asked)
  local found = {}
  for other in pairs(below(owners)[path] or {}) do found[#found + 1] = other end
  table.sort(found, function(a, b) return a.index < b.index end)
  for _, other in ipairs(found) do imply(s, other, path, asked) end
end

-- An optional input orders by what its form said, it implies nothing.
local function imply_inputs(s, owners, values, asked)
  for _, spec in ipairs(s.inputs or {}) do
    if not spec.glob and not spec.exclude and not spec.optional then
      local path = edges.settled(spec, s, values)
      local other = path and writer(owners, path)
      if other then imply(s, other, path, asked) end
      if path and spec.dir then imply_directory(s, owners, path, asked) end
    end
  end
end

-- A fan over a result cannot begin before it is there: it needs that step, said or not.
local function imply_items(s, by_id, asked)
  local items = s.fan and s.fan.items
  if type(items) ~= "string" or not items:find("{{", 1, true) then return end
  local ok, roots = pcall(template.roots, items)
  for _, path in ipairs(ok and roots or {}) do
    local other = path[1] == "results" and by_id[tostring(path[2])]
    if other then imply(s, other, items, asked) end
  end
end

-- What the groups around a member ask, once per group.
local function inherited(g, which, memo)
  if not g then return {} end
  if memo[g] then return memo[g] end
  local above = inherited(g.parent, which, memo)
  local list = above
  if #g[which] > 0 then
    list = table.move(above, 1, #above, 1, {})
    table.move(g[which], 1, #g[which], #list + 1, list)
  end
  memo[g] = list
  return list
end

local function add_missing(s, name, more)
  if #more == 0 then return end
  local own = build.own(s, name)
  local seen = set_of(own)
  for _, id in ipairs(more) do
    if not seen[id] then
      seen[id] = true
      own[#own + 1] = id
    end
  end
end

--- Completes needs and after of all steps: implied by paths, and asked by their groups.
---@param wf orrery.Workflow
---@param report orrery.Messages
function edges.complete(wf, report)
  local owners = { files = {}, globs = {}, known = {} }
  for _, s in ipairs(wf.steps) do claim(owners, s, wf.values, report) end
  for _, s in ipairs(wf.steps) do
    local asked = #s.needs > 0 and set_of(s.needs) or NONE
    imply_inputs(s, owners, wf.values, asked)
    imply_items(s, wf.by_id, asked)
  end
  local needs, after = {}, {}
  for _, s in ipairs(wf.steps) do
    add_missing(s, "needs", inherited(s.group, "needs", needs))
    add_missing(s, "after", inherited(s.group, "after", after))
  end
end

return edges
