-- The skills of a project for scripts: named, versioned units in skills/, whose results are
-- remembered. A skill is skills/NAME.lua, which returns function(ctx) or a table { run,
-- version, doc, params, result, ttl }; or a program skills/NAME with skills/NAME.json beside it.
local check = require("orrery.kernel.check")

local skills = {}

local function where(opts, name)
  opts = check.options(opts, { root = "string", cache = "string", force = "boolean" }, name)
  local config = require("orrery.model.config")
  local root = opts.root or config.root(require("orrery.core.sys").cwd())
  return root, config.load(root), { cache = opts.cache, force = opts.force }
end

local function shown(one)
  return { name = one.name, file = one.file, version = one.version, doc = one.doc,
    params = one.params, result = one.result, ttl = one.ttl }
end

--- What a skill says of itself: { name, file, version, doc, params, result, ttl }.
---
---     skills.get("rate").version --> "1.2"
---@param name string
---@param opts? { root?: string }
---@return table
function skills.get(name, opts)
  return shown(require("orrery.run.agents.skills").get((where(opts, "skills.get")), name))
end

--- All of them, by name. One that makes no sense has `error`.
---
---     for _, one in ipairs(skills.list()) do print(one.name, one.version) end
---@param opts? { root?: string }
---@return table[]
function skills.list(opts)
  local root = where(opts, "skills.list")
  local known, out = require("orrery.run.agents.skills"), {}
  for i, name in ipairs(known.names(root)) do
    local ok, one = pcall(known.get, root, name)
    out[i] = ok and shown(one) or { name = name,
      error = require("orrery.kernel.errors").text(one) }
  end
  return out
end

--- Calls a skill; its value comes from the cache when it was called so before. Raises an error
--- with class "params" when the params do not fit what the skill says.
---
---     skills.run("rate", { plan = "x" }).score
---@param name string
---@param params? table
---@param opts? { root?: string, cache?: "rw"|"ro"|"wo"|"off", force?: boolean }
---@return any value
function skills.run(name, params, opts)
  local root, conf, options = where(opts, "skills.run")
  return (require("orrery.run.skillcall").call(root, conf, name, params, options))
end

return skills
