-- Which steps the workflow itself changed: the files that its load consulted (its own, its
-- modules, what it reads, orrery.lua) are seen once as they are and once as the base had
-- them, and the steps that came of it are compared. Where that cannot be done, all steps
-- count as changed, and the reason says so.
local build = require("orrery.model.build")
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local func = require("orrery.core.func")
local load = require("orrery.model.load")
local pack = require("orrery.core.pack")
local sorted = require("orrery.kernel.sorted")

local definitions = {}

---------------------------------------------------------------------------
-- the files as they were

local Past = {}
Past.__index = Past

local function relative(self, path)
  local root = self.changes.root
  if path:sub(1, #root + 1) == root .. "/" then path = path:sub(#root + 2) end
  return fs.normal(path)
end

--- nil: unchanged; false: not there then.
function Past:file(path)
  path = relative(self, path)
  if not self.changes.status[path] then return nil end
  return self.changes:before(path) or false
end

--- What a glob gave then: without what was added since, with what was removed.
function Past:glob(patterns, found, root)
  local prefix = root and root ~= "." and fs.normal(root) .. "/" or ""
  local gone, out = {}, {}
  for _, path in ipairs(self.changes.files) do
    local s = self.changes.status[path]
    if path:sub(1, #prefix) == prefix then
      local name = path:sub(#prefix + 1)
      if s == "A" or s == "?" then
        gone[name] = true
      elseif s == "D" and fs.match(patterns, name) then
        out[#out + 1] = name
      end
    end
  end
  for _, name in ipairs(found) do
    if not gone[name] then out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

--- Stats and listings of then are not known; where they may differ, there is no comparing.
function Past:look(path)
  path = relative(self, path)
  for _, changed in ipairs(self.changes.files) do
    if path == "." or changed == path or changed:sub(1, #path + 1) == path .. "/" then
      errors.raise("past", ("it looks at %s, where %s"):format(path, self.changes:say(changed)))
    end
  end
end

---------------------------------------------------------------------------
-- a step as a value

-- What the key of a step is made of; not its place, doc, limits and retries.
local fields = { "kind", "action", "needs", "after", "when", "cwd", "shell", "parse", "inputs",
  "outputs", "depfile", "tools", "keep", "temp", "env", "with", "prompt", "model", "returns",
  "gate", "normalize", "cache", "fan", "tty", "ready", "stop", "sample", "item", "matrix",
  "member_of" }

local Writer = {}
Writer.__index = Writer

-- What a function is: its code, its upvalues and its modules.
function Writer:func(f)
  self.dynamic = true
  local bytes, info = func.dump(f, self.wf.box and self.wf.box:dump_options())
  if bytes then return { identity = info.identity } end
  errors.raise("past", "a function cannot be compared: " .. errors.text(info))
end

function Writer:value(v)
  if type(v) == "function" then return self:func(v) end
  if type(v) == "string" and v:find("params", 1, true) then self.dynamic = true end
  if type(v) ~= "table" then return v end
  if build.is(v, "condition") then return { condition = v.id } end
  local out = {}
  for k, one in sorted.pairs(v) do out[k] = self:value(one) end
  return out
end

-- "module:function" is what that function is.
function Writer:named(text)
  if type(text) ~= "string" or not self.wf.box then return nil end
  local ok, f = pcall(self.wf.box.resolve, self.wf.box, text)
  return ok and type(f) == "function" and self:func(f) or nil
end

local function conditions_around(self, step)
  local out, g = {}, step.group
  while g do
    if g.when ~= nil then out[#out + 1] = self:value(g.when) end
    g = g.parent
  end
  return out
end

local function digest_of(wf, conf, step)
  local self = setmetatable({ wf = wf }, Writer)
  local out = { around = conditions_around(self, step), dotenv = { wf.dotenv, conf.dotenv },
    secrets = self:value({ wf.secrets, conf.secrets }) }
  if wf.form == "agents" or wf.artifactual then
    out.fields, out.kind = self:value(step.fields), step.kind
  else
    for _, name in ipairs(fields) do out[name] = self:value(step[name]) end
  end
  if step.kind == "call" then out.resolved = self:named(step.action) end
  if step.gate then out.check = self:named(step.gate.check) end
  if step.kind == "agent" then out.agents = self:value(conf.agents) end
  if self.dynamic then out.values = self:value(wf.values) end
  local digest, why = pack.digest(out)
  return digest or errors.raise("past", errors.text(why))
end

---------------------------------------------------------------------------
-- now and then

-- The first changed file that the load consulted.
local function consulted(wf, changes)
  for _, list in ipairs({ wf.reads.files, wf.reads.absent, wf.reads.stats }) do
    for path in sorted.pairs(list) do
      local rel = relative({ changes = changes }, path)
      if changes.status[rel] then return rel end
    end
  end
  for dir in sorted.pairs(wf.reads.lists) do
    for _, path in ipairs(changes.files) do
      if (path:match("^(.*)/[^/]*$") or ".") == fs.normal(dir) then return path end
    end
  end
  for _, g in ipairs(wf.reads.globs) do
    local prefix = g.root and g.root ~= "." and fs.normal(g.root) .. "/" or ""
    for _, path in ipairs(changes.files) do
      local s = changes.status[path]
      if s ~= "M" and path:sub(1, #prefix) == prefix
        and fs.match(g.patterns, path:sub(#prefix + 1)) then return path, g.patterns end
    end
  end
end

-- The modules that steps name in text, so that they count as consulted.
local function resolve_named(wf)
  for _, step in ipairs(wf.steps) do
    for _, text in ipairs({ step.kind == "call" and step.action or false,
      step.gate and step.gate.check or false }) do
      if type(text) == "string" and wf.box then pcall(wf.box.resolve, wf.box, text) end
    end
  end
end

local function loaded(wf, params, past)
  local conf = config.load(wf.root, past)
  local one = load.file(wf.file, { root = wf.root, config = conf, params = params,
    inspect = true, past = past })
  return one, conf
end

local function compare(wf, changes, params, file)
  local past = setmetatable({ changes = changes }, Past)
  local new, new_conf = loaded(wf, params)
  local old, old_conf = loaded(wf, params, past)
  local out = {}
  for _, step in ipairs(new.steps) do
    local was = old.by_id[step.id]
    if not was or not was.kind then
      out[step.id] = ("is new (%s)"):format(changes:say(file))
    elseif digest_of(new, new_conf, step) ~= digest_of(old, old_conf, was) then
      out[step.id] = ("its definition changed (%s)"):format(changes:say(file))
    end
  end
  return out
end

local function all_of(wf, why)
  local out = {}
  for _, step in ipairs(wf.steps) do out[step.id] = why end
  return out
end

--- The steps that a changed workflow file, module or configuration reaches, and why.
---@param wf orrery.Workflow
---@param changes orrery.Changes
---@param params? table raw -p values
---@return table<string, string> id → why
function definitions.changed(wf, changes, params)
  resolve_named(wf)
  local file, patterns = consulted(wf, changes)
  if not file then return {} end
  local said = changes:say(file)
  if not changes.merge_base then
    if patterns then -- which of them are new is not in a list
      said = ("%s may be new to the workflow's fs.glob '%s'"):format(file,
        type(patterns) == "table" and table.concat(patterns, ", ") or patterns)
    end
    return all_of(wf, said .. "; without a base it cannot be compared")
  end
  if relative({ changes = changes }, wf.file) == file and changes:before(file) == nil then
    return all_of(wf, said)
  end
  local ok, out = pcall(compare, wf, changes, params, file)
  if ok then return out end
  if not errors.is(out) and type(out) ~= "string" then error(out, 0) end
  return all_of(wf, ("%s; it cannot be compared: %s"):format(said,
    errors.text(out):match("^[^\n]*")))
end

return definitions
