-- The params of an agent workflow: its declared inputs, and every name that templates,
-- inputs and conditions read. All can be given with -p; only the declared can be required.
local build = require("orrery.model.build")
local condition = require("orrery.model.agents.condition")
local sorted = require("orrery.kernel.sorted")
local source = require("orrery.model.agents.source")
local templates = require("orrery.model.agents.templates")

local params = {}

local types = { string = "string", number = "number", integer = "integer", boolean = "boolean",
  array = "list", list = "list", object = "map", map = "map" }

-- Values the run itself gives, never asked for.
params.built_in = { validation_status = true, iteration_count = true }

local function can_be_param(name) return name:find("^[%a_][%w_%-]*$") ~= nil end

-- workflow_inputs: { required: [name], optional: [name] }
local function listed(src, value, into)
  local v = src:map(value, "workflow_inputs")
  for _, key in ipairs(v and { "required", "optional" } or {}) do
    local list = src:list(v, key)
    for i = 1, #list do
      local name = src:text(list, i)
      if not name or not can_be_param(name) then
        src:error(list, i, "an input of the workflow is a name")
      else
        into[name] = { fields = { type = "string", required = key == "required" or nil },
          place = src:place(list, i) }
      end
    end
  end
end

-- inputs: { name: { type, description, required, default } }
local function described(src, value, into)
  local v = src:map(value, "inputs")
  for name, spec in sorted.pairs(v or {}) do
    local at = src:place(v, name)
    local known = source.is_map(spec) and types[src:text(spec, "type") or "string"]
    if not can_be_param(name) or not source.is_map(spec) then
      src.report:error(at, ("input '%s' is a name with type, description, required, default")
        :format(name))
    elseif not known then
      src:error(spec, "type", ("'%s' is no type of an input; there are %s"):format(
        src:text(spec, "type"), table.concat(sorted.keys(types), ", ")))
    else
      local default = src:get(spec, "default")
      into[name] = { place = at, fields = { type = known, default = default,
        help = src:text(spec, "description"),
        required = default == nil and src:get(spec, "required") == true or nil } }
    end
  end
end

local function add(into, name, at, fields)
  if into[name] or not can_be_param(name) then return end
  into[name] = { fields = fields or { type = "string" }, place = at }
end

-- Ids without a value of their own get one that is the same in every run.
local function ids(slug, into)
  add(into, "workflow_id", {}, { type = "string", default = slug })
  add(into, "plan_id", {}, { type = "string", default = "plan-" .. slug })
  add(into, "run_id", {}, { type = "string", default = "run-" .. templates.RUN })
  add(into, "story_id", {}, { type = "string", default = "1" })
  add(into, "epic_id", {}, { type = "string", default = "1" })
end

-- Names in templates of steps must get a value from somewhere, also those an agent would read.
local function templated(src, entries, into)
  for _, e in ipairs(entries) do
    templates.each(e.t, function(name, t, key)
      if key == "on_failure" and t == e.t or params.built_in[name] then return end
      add(into, name, src:place(t, key), { type = "string", required = true,
        help = ("for {{%s}} of step %s"):format(name, e.id) })
    end)
  end
end

local function is_file(name) return name:find("/", 1, true) or name:find("%.%w+$") end

local function read_names(entries, artifacts, into)
  for _, e in ipairs(entries) do
    for _, input in ipairs(e.inputs) do
      if not input.from and not is_file(input.name) and not params.built_in[input.name] then
        add(into, input.name, input.place)
      end
    end
    local trees = table.move(e.when, 1, #e.when, 1, {})
    trees[#trees + 1] = e.condition
    for _, tree in ipairs(trees) do
      condition.each(tree, function(path)
        if not artifacts[path[1]] and not params.built_in[path[1]] then
          add(into, path[1], e.place)
        end
      end)
    end
  end
end

--- The params as nodes.
---@param src orrery.agents.Source
---@param value table the workflow
---@param entries orrery.agents.Entry[]
---@param slug string
---@param artifacts table<string, true> names of artifacts that conditions may read
---@param loops boolean are there loops without a bound of their own?
---@return table<string, orrery.Node> nodes
---@return table<string, true> declared those the workflow lists itself
function params.of(src, value, entries, slug, artifacts, loops)
  local into, declared = {}, {}
  listed(src, value, into)
  described(src, value, into)
  for name in pairs(into) do declared[name] = true end
  ids(slug, into)
  if loops then add(into, "max_iterations", {}, { type = "integer", default = 1 }) end
  templated(src, entries, into)
  read_names(entries, artifacts, into)
  local nodes = {}
  for name, p in pairs(into) do
    local places = {}
    for k in pairs(p.fields) do places[k] = p.place end
    nodes[name] = build.node("param", nil, p.fields, p.place, places)
  end
  return nodes, declared
end

return params
