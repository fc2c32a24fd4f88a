-- require("orrery"): the constructors of the language, and running what they make.
local build = require("orrery.model.build")

local orrery = build.new()

local function where(opts)
  local config = require("orrery.model.config")
  local sys = require("orrery.core.sys")
  local root = opts.root or config.root(sys.cwd())
  return root, opts.config or config.load(root)
end

--- Loads a workflow by name or path; a Workflow comes back as it is.
---@param what string|orrery.Workflow
---@param opts? { root?: string, params?: table, config?: orrery.Config }
---@return orrery.Workflow
---@usage orrery.load("site", { params = { theme = "dark" } })
function orrery.load(what, opts)
  if type(what) == "table" then return what end
  opts = opts or {}
  local root, config = where(opts)
  local load = require("orrery.model.load")
  local path, names = load.find(what, root, config)
  if not path then
    local nearest = require("orrery.kernel.nearest")
    local hint = nearest.hint(what, names)
    require("orrery.kernel.errors").raise("usage", ("there is no workflow '%s'%s"):format(what,
      hint and "; " .. hint or ""))
  end
  return load.file(path, { root = root, config = config, params = opts.params })
end

--- What a run would do: a list of { id, verdict, reason }.
---@param what string|orrery.Workflow
---@param opts? orrery.RunOptions
---@return table[]
function orrery.plan(what, opts)
  return require("orrery.run.engine").plan(orrery.load(what, opts), opts or {})
end

--- Runs a workflow to its end.
---@param what string|orrery.Workflow
---@param opts? orrery.RunOptions
---@return orrery.RunRecord
---@usage orrery.run("site").code --> 0
function orrery.run(what, opts)
  return require("orrery.run.engine").run(orrery.load(what, opts), opts or {})
end

--- A finished run by id, or "last".
---@param id? string
---@param opts? { root?: string }
---@return orrery.RunRecord
function orrery.open_run(id, opts)
  return require("orrery.run.records.record").open(id or "last", (where(opts or {})))
end

--- How long a run would have taken under another policy or width, from its own times.
---@param run orrery.RunRecord
---@param opts? { policy?: any, jobs?: integer }
---@return { wall: number, was: number, work: number, saved: number, critical: table }
---@usage orrery.simulate(orrery.open_run("last"), { jobs = 8 }).wall
function orrery.simulate(run, opts)
  return require("orrery.run.simulate").run(run, opts)
end

return orrery
