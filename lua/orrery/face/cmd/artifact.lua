-- orrery artifact [list | show NAME]: what runs produced.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")
local pack = require("orrery.core.pack")
local past = require("orrery.face.past")
local registry = require("orrery.core.registry")
local runs = require("orrery.run.runs")
local sorted = require("orrery.kernel.sorted")
local target = require("orrery.face.target")
local words = require("orrery.face.words")

local artifact = {}

artifact.usage = "orrery artifact [list | show NAME]"
artifact.about = [[
Lists what the last run (or --run) produced: outputs of steps, with digests. NAME is an
artifact's id, or a name, of which the newest version counts.]]
artifact.flags = { "run", "json", "type", "step" }
artifact.examples = { { "orrery artifact", "of the last run that produced any" },
  { "orrery artifact list --step build", "of one step" },
  { "orrery artifact show out/site.css", "one in detail" } }

local function path_of(root, name)
  if name then
    local id = past.id(root, name)
    return ("%s/%s/registry.json"):format(runs.dir(root), id), id
  end
  for _, id in ipairs(runs.ids(root)) do
    local path = ("%s/%s/registry.json"):format(runs.dir(root), id)
    if fs.stat(path) then return path, id end
  end
end

local function open(c)
  local reg = registry.new()
  local path, id = path_of(target.root(), c.opts.run)
  if path and fs.stat(path) then
    local ok, why = reg:load(path)
    if not ok then errors.raise("state", errors.text(why)) end
  end
  return reg, id
end

local function every(reg, c)
  local out = pack.array({})
  for i = 1, reg:count() do
    local a = reg:at(i)
    if (not c.opts.type or a.type == c.opts.type) and (not c.opts.step or a.step == c.opts.step)
    then
      out[#out + 1] = a
    end
  end
  return out
end

local function list(c)
  local all = every(open(c), c)
  if c.opts.json then
    c.out(json.encode(all, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local rows = {}
  for i, a in ipairs(all) do
    rows[i] = { a.id, a.step or "", a.type or "", (a.digest or ""):sub(1, 12) }
  end
  for _, text in ipairs(words.columns(rows)) do c.out(text .. "\n") end
  if #rows == 0 then c.err("no artifacts\n") end
  return 0
end

local function show(c)
  local name, reg = c.words[2], open(c)
  if not name then errors.raise("usage", "which one? orrery artifact show NAME") end
  local a = reg:get(name) or reg:by_name(name)
  if not a then
    local names = {}
    for _, one in ipairs(every(reg, { opts = {} })) do names[#names + 1] = one.name end
    errors.raise("usage", ("there is no artifact '%s'"):format(name),
      { hint = nearest.hint(name, names) or "orrery artifact lists them" })
  end
  if c.opts.json then
    c.out(json.encode(a, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local rows = {}
  for k, v in sorted.pairs(a) do
    rows[#rows + 1] = { k, type(v) == "table" and json.encode(v, { lossy = true }) or tostring(v) }
  end
  for _, text in ipairs(words.columns(rows)) do c.out(text .. "\n") end
  return 0
end

local verbs = { list = list, show = show }

--- Lists or shows.
---@param c table the invocation
---@return integer
function artifact.main(c)
  local verb = c.words[1] or "list"
  if verbs[verb] then return verbs[verb](c) end
  errors.raise("usage", ("artifact cannot '%s'"):format(verb),
    { hint = nearest.hint(verb, verbs) or "it can list and show" })
end

return artifact
