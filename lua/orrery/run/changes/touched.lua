-- Which of some changed files a step reads: declared inputs (globs count for files that are
-- gone, too), schemas, its program, its skill, and what it read the last time.
local edges = require("orrery.model.edges")
local fs = require("orrery.core.fs")
local last = require("orrery.run.memo.last")
local memo = require("orrery.run.memo")
local schema = require("orrery.knowledge.schema")
local sorted = require("orrery.kernel.sorted")

local touched = {}
local Reader = {}
Reader.__index = Reader

-- A path whose template is known only when the step runs: all below where it begins.
local function settled(spec, step, values)
  local path = edges.settled(spec, step, values)
  if path then return path, spec.glob end
  local dir = spec.path:match("^(.-){{"):match("^(.*)/")
  return (dir and dir .. "/" or "") .. "**", true
end

local function add_literal(self, path)
  if type(path) == "string" and path ~= "" and not path:find("{{", 1, true) then
    self.literal[fs.normal(path)] = true
  end
end

-- Patterns of one name decide together, as keys.inputs expands them.
local function add_inputs(self, step, values)
  local groups = {}
  for _, spec in ipairs(step.inputs or {}) do
    local path, glob = settled(spec, step, values)
    if spec.exclude then
      for _, list in ipairs(self.globs) do list[#list + 1] = "!" .. path end
    elseif glob then
      local list = groups[spec.name or ""]
      if not list then
        list = {}
        groups[spec.name or ""] = list
        self.globs[#self.globs + 1] = list
      end
      list[#list + 1] = path
    else
      add_literal(self, path)
    end
  end
end

local function add_schema(self, given, wf, cache)
  if given == nil then return end
  if type(given) == "string" then
    if given:find("{{", 1, true) then return end
    add_literal(self, given)
  end
  local ok, validator = pcall(schema.get, given, { root = wf.root, cache = cache })
  for path in pairs(ok and validator and validator.files or {}) do add_literal(self, path) end
end

local function add_schemas(self, step, wf, cache)
  add_schema(self, step.returns, wf, cache)
  for _, given in sorted.pairs(step.gate and step.gate.schema or {}) do
    add_schema(self, given, wf, cache)
  end
  local io = step.agent_io
  for _, s in ipairs(io and io.gate and io.gate.schemas or {}) do
    add_schema(self, s.schema, wf, cache)
  end
end

-- A program of the project is in the key of the step that starts it.
local function add_program(self, step)
  local list = step.tools and table.move(step.tools, 1, #step.tools, 1, {}) or {}
  if step.kind == "run" and not (step.tools and #step.tools == 0) then
    local first = step.action
    if type(first) == "table" then first = first[1] end
    list[#list + 1] = type(first) == "string" and first:match("^[^%s;|&<>()$'\"]+") or nil
  end
  for _, name in ipairs(list) do
    if name:find("/", 1, true) and name:sub(1, 1) ~= "/" then
      local cwd = step.cwd and not step.cwd:find("{{", 1, true) and step.cwd .. "/" or ""
      add_literal(self, cwd .. name)
    end
  end
  if step.kind == "skill" and type(step.action) == "string" then
    add_literal(self, "skills/" .. step.action)
    add_literal(self, "skills/" .. step.action .. ".lua")
  end
end

-- What it read the last time, beyond what it declares: headers, files a function opened.
local function add_recorded(self, step, past)
  self.unknown = (step.depfile and "what its depfile lists")
    or ((step.kind == "call" or step.kind == "skill") and "what it reads") or nil
  local record = self.unknown and past and past(step)
  if not record then return end
  self.unknown = nil
  for _, fact in ipairs(record.facts and record.facts.found or {}) do
    add_literal(self, fact[1])
  end
  for _, look in ipairs(record.looks or {}) do
    if look.kind == "glob" then
      local base = look.path == "." and "" or look.path .. "/"
      local list = {}
      for _, p in ipairs(type(look.patterns) == "table" and look.patterns or { look.patterns }) do
        list[#list + 1] = p:sub(1, 1) == "!" and "!" .. base .. p:sub(2) or base .. p
      end
      self.globs[#self.globs + 1] = list
    else
      add_literal(self, look.path)
    end
  end
end

--- What a step reads, to be asked about files.
---@param step orrery.Step
---@param wf orrery.Workflow
---@param cache table of schemas, shared by the steps
---@param past? fun(step): table? its last record here
---@return table
function touched.reader(step, wf, cache, past)
  local self = setmetatable({ id = step.id, literal = {}, globs = {} }, Reader)
  add_inputs(self, step, wf.values)
  add_schemas(self, step, wf, cache)
  add_program(self, step)
  add_recorded(self, step, past)
  return self
end

--- Does it read this file by its name, or by a directory above it?
---@param path string
---@return boolean
function Reader:names(path)
  local at = path
  while at and at ~= "" do
    if self.literal[at] then return true end
    at = at:match("^(.*)/[^/]*$")
  end
  return false
end

--- Does one of its globs match?
---@param path string
---@return boolean
function Reader:matches(path)
  for _, list in ipairs(self.globs) do
    if fs.match(list, path) then return true end
  end
  return false
end

local function fixed(pattern)
  return pattern:match("^[^*?%[{\\]*"):match("^(.*)/") or ""
end

local function below(path, dir) return dir == "" or path == dir or
  path:sub(1, #dir + 1) == dir .. "/" end

--- May it read something below a directory ("": anything)? An ignore file there decides what
--- its globs see.
---@param dir string
---@param only_globs? boolean
---@return boolean
function Reader:looks_into(dir, only_globs)
  for _, list in ipairs(self.globs) do
    for _, pattern in ipairs(list) do
      if pattern:sub(1, 1) ~= "!" then
        local from = fixed(pattern)
        if below(from, dir) or below(dir, from) then return true end
      end
    end
  end
  if only_globs then return false end
  for path in pairs(self.literal) do
    if below(path, dir) then return true end
  end
  return self:names(dir)
end

--- The records that steps of a workflow left in this checkout, if any.
---@param wf orrery.Workflow
---@param index core.Index?
---@param store core.Store?
---@return fun(step: orrery.Step): table?
function touched.records(wf, index, store)
  return function(step)
    local full = index and last.full(index, wf.name, step.id)
    return full and store and memo.record(store, full) or nil
  end
end

return touched
