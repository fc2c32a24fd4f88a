-- What a journey needs and what is not there: known before anything runs.
local errors = require("orrery.kernel.errors")
local executors = require("orrery.run.agents.executors")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")
local proc = require("orrery.core.proc")
local schema = require("orrery.knowledge.schema")
local skills = require("orrery.run.agents.skills")

local preflight = {}

---@class orrery.Finding
---@field level "error"|"warning"
---@field text string
---@field hint? string

local function say(out, level, text, hint)
  out[#out + 1] = { level = level, text = text, hint = hint }
end

local function schemas(self, one, out)
  for _, path in ipairs(one.schemas) do
    local at = self.book:find(path)
    if not at then
      say(out, "warning", ("its schema %s is not there; what it should check is unchecked")
        :format(path))
    else
      local ok, why = schema.get(at, { root = self.book.root, cache = self.schemas })
      if not ok then say(out, "error", ("its schema %s: %s"):format(path, errors.text(why))) end
    end
  end
end

local function has_executor(self, role)
  return executors.find({ opts = { agents = self.agents }, config = self.config }, role) ~= nil
end

local function agents(self, roles, out)
  local missing = {}
  for _, role in ipairs(roles) do
    if not missing[role] and not has_executor(self, role) then
      missing[role], missing[#missing + 1] = true, role
    end
  end
  if #missing == 0 then return end
  say(out, "error", "no executor is configured for " .. table.concat(missing, ", "),
    ("--agent '*=CMD', or agents = { [\"%s\"] = { run = { \"cmd\" } } } in orrery.lua; --agent "
      .. "mock tries it without"):format(missing[1]))
end

local function programs(one, out)
  for _, s in ipairs(one.skills) do
    for _, name in ipairs(s.requires_cli) do
      if not proc.which(name) then
        say(out, "warning", ("its skill %s needs the program %s, which is not on PATH")
          :format(s.name, name))
      end
    end
  end
end

-- Loaded for its roles; what is wrong with it is found here, too.
local function workflow(self, one, out)
  if not one.workflow then
    return say(out, "error", "the registry names no workflow for it",
      "set its workflow, or its execution_mode to manual-setup")
  end
  local path = self.book:find(one.workflow)
  if not path then
    return say(out, "error", ("its workflow %s is not there"):format(one.workflow))
  end
  local ok, wf = pcall(load.file, path, { root = self.book.root, config = self.config,
    inspect = true })
  if not ok then
    return say(out, "error", ("its workflow cannot be loaded: %s"):format(errors.text(wf)))
  end
  local roles = {}
  for _, step in ipairs(wf.steps) do
    if step.kind == "agent" and not step.action:find("{{", 1, true) then
      roles[#roles + 1] = step.action
    end
  end
  for _, u in ipairs(wf.unchecked or {}) do
    say(out, "warning", ("step %s: its gate is unchecked: %s"):format(u.id, u.text))
  end
  agents(self, roles, out)
  return path
end

--- The text of a skill that is prose for an agent; nil when there is none.
---@param book orrery.Journeys
---@param one orrery.Journey
---@return string? path
function preflight.prose(book, one)
  for _, s in ipairs(one.skills) do
    if s.name == one.skill and s.location then
      return book:find(s.location .. "/SKILL.md")
    end
  end
end

local function skill(self, one, out)
  if not one.skill then
    return say(out, "error", "the registry names no primary_skill for it")
  end
  if skills.find(self.book.root, one.skill) then return end
  if not preflight.prose(self.book, one) then
    return say(out, "error", ("its skill %s is not there"):format(one.skill),
      ("write skills/%s.lua or a program skills/%s"):format(one.skill, one.skill))
  end
  agents(self, { one.skill }, out)
end

--- What stands in the way of a journey.
---@param self { book: orrery.Journeys, config: orrery.Config, agents?: table, schemas?: table }
---@param one orrery.Journey
---@return orrery.Finding[]
function preflight.check(self, one)
  local out = {}
  self.schemas = self.schemas or {}
  if one.mode == "workflow" then workflow(self, one, out) end
  if one.mode == "skill" then skill(self, one, out) end
  schemas(self, one, out)
  programs(one, out)
  if one.doc and one.mode == "manual" and not self.book:find(one.doc) then
    say(out, "warning", ("its description %s is not there"):format(one.doc))
  end
  return out
end

--- The findings that stand in the way.
---@param found orrery.Finding[]
---@param strict? boolean warnings, too
---@return orrery.Finding[]
function preflight.blocking(found, strict)
  local out = {}
  for _, f in ipairs(found) do
    if strict or f.level == "error" then out[#out + 1] = f end
  end
  return out
end

--- The prose of a skill as a prompt.
---@param book orrery.Journeys
---@param path string
---@return string
function preflight.prompt(book, path)
  local bytes, why = fs.read(fs.at(book.root, path))
  if not bytes then errors.raise("io", errors.text(why)) end
  return bytes
end

return preflight
