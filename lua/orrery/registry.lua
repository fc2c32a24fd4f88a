-- registry: named outputs, found by id, name, type and step in constant time, and walked in
-- the order they were added. An artifact is a plain table:
--
--     { id, name, type, step, path, digest, size, version, meta }
--
-- Every table handed out is a fresh copy: changing it changes nothing.
local check = require("orrery.kernel.check")
local core = require("orrery.core.registry")
local errors = require("orrery.kernel.errors")

local registry = {}

---@class orrery.Registry
---@field private core core.Registry
local Registry = {}
Registry.__index = Registry
Registry.__name = "orrery.Registry"

local must = errors.must

--- Adds an artifact. The id is "<name>@v<version>" unless one is given; the version is one more
--- than the newest of that name. Raises when the id is taken.
---
---     local id, version = reg:add({ name = "report", type = "json", path = "r.json" })
---@param artifact core.Artifact
---@return string id
---@return integer version
function Registry:add(artifact)
  local id, version = self.core:add(artifact)
  return must(id, version), version
end

--- Adds many, in order, three times as fast as one by one, for no text is made of each new
--- id: they are at count() - n + 1 and so on. Raises at the first that cannot be added, and
--- says which; those before it stay.
---
---     reg:add_all({ { name = "a" }, { name = "b", type = "json" } })
---@param artifacts core.Artifact[]
---@return integer n how many
function Registry:add_all(artifacts)
  local n, err = self.core:add_all(artifacts)
  if n then return n end
  errors.raise(err.code, ("artifact %d: %s"):format(err.item, err.message))
end

--- The artifact of an id, or nil.
---@param id string
---@return core.Artifact?
function Registry:get(id) return self.core:get(id) end

--- Is there such an id? Cheaper than get.
---@param id string
---@return boolean
function Registry:has(id) return self.core:has(id) end

--- The newest artifact of a name, or that version of it; nil when there is none.
---@param name string
---@param version? integer
---@return core.Artifact?
function Registry:by_name(name, version) return self.core:by_name(name, version) end

--- All artifacts of a type, in the order they were added.
---@param type string
---@return core.Artifact[]
function Registry:by_type(type) return self.core:by_type(type) end

--- All artifacts of a step, in the order they were added.
---@param step string
---@return core.Artifact[]
function Registry:by_step(step) return self.core:by_step(step) end

--- All versions of a name, oldest first.
---@param name string
---@return core.Artifact[]
function Registry:versions(name) return self.core:versions(name) end

--- The i-th artifact, or nil behind the last.
---@param i integer
---@return core.Artifact?
function Registry:at(i) return self.core:at(i) end

--- How many artifacts there are.
---@return integer
function Registry:count() return self.core:count() end

--- Walks all artifacts in the order they were added, those added meanwhile too.
---
---     for i, a in reg:each() do print(i, a.id) end
---@return fun(reg: orrery.Registry, i: integer): integer?, core.Artifact?
---@return orrery.Registry
---@return integer
function Registry:each()
  return function(reg, i)
    local a = reg.core:at(i + 1)
    if a then return i + 1, a end
  end, self, 0
end

--- Writes { "artifacts": […] } as JSON, in one step. With merge, what the file holds stays (under
--- a lock other processes honour): a name saved by another process keeps its versions, ours get
--- the next ones there. Raises when the file cannot be written, or merged with.
---@param path string
---@param opts? { merge?: boolean }
function Registry:save(path, opts)
  opts = check.options(opts, { merge = "boolean" }, "registry.save")
  must(self.core:save(path, opts))
end

--- Adds the artifacts of a file, all or none; an id that is there already is skipped. Fields of
--- other tools are kept in meta. Raises, with the place, when the file is not a registry.
---@param path string
---@return integer added
function Registry:load(path) return must(self.core:load(path)) end

--- Frees the memory; the garbage collector does too.
function Registry:close() self.core:close() end
Registry.__close = Registry.close

--- An empty registry.
---
---     local reg = registry.new()
---@return orrery.Registry
function registry.new() return setmetatable({ core = core.new() }, Registry) end

--- A registry with what a file holds.
---
---     local reg = registry.load(".orrery/runs/17/registry.json")
---@param path string
---@return orrery.Registry
function registry.load(path)
  local reg = registry.new()
  reg:load(path)
  return reg
end

return registry
