-- Checks of a gate by name: the user's checks/NAME.lua before the built-in one of that name,
-- or a "module:function". They get what the step really made, decoded, and say what is wrong.
local artifacts = require("orrery.run.keys.artifacts")
local checknames = require("orrery.model.agents.checknames")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local known = require("orrery.knowledge.checks")
local loop = require("orrery.kernel.loop")
local modules = require("orrery.model.modules")

local checks = {}

-- A file beyond this is looked at up to here; a directory has no more files than that.
local MAX_BYTES, MAX_FILES = 4 << 20, 2000

local function function_of(value)
  if type(value) == "table" then value = value.check end
  return type(value) == "function" and value or nil
end

local function from_file(run, path)
  local value, digest = modules.file(run:user_box(), path)
  if value == nil then return nil end
  local fn = function_of(value)
  if not fn then
    errors.raise("gate", path .. ": a check returns function(it) … end, or a table with check")
  end
  return fn, digest
end

--- The function of a check, and who it is (for keys). Raises when its file is no check.
---@param run orrery.Run
---@param name string
---@return (fun(it: orrery.CheckInput): any)? fn nil: there is none
---@return string? identity
function checks.find(run, name)
  local mod, member = name:match("^([%w_%.%-]+):([%a_][%w_]*)$")
  if mod then
    local fn, why = run:user_box():resolve(name)
    if not fn then errors.raise("gate", ("check %s: %s"):format(member, why)) end
    return fn, run:module_digest(mod)
  end
  local path = checknames.file(name)
  if path and fs.stat(run.root .. "/" .. path) then return from_file(run, path) end
  local fn = known.built_in(name)
  return fn, fn and "built in " .. known.VERSION
end

--- Name → who does it, for a step's key; nil: there are no checks.
---@param run orrery.Run
---@param names string[]?
---@return table<string, string>?
function checks.identities(run, names)
  if not names then return nil end
  local out = {}
  for _, name in ipairs(names) do
    local _, who = loop.try(function() return select(2, checks.find(run, name)) end)
    out[name] = type(who) == "string" and who or "nobody"
  end
  return out
end

local function file_of(name, path)
  local text = fs.read(path, MAX_BYTES)
  if not text then return nil end
  local value
  if name:find("%.json$") then value = json.decode(text, { name = name, last_wins = true }) end
  return { name = name, path = path, text = text, value = value }
end

local function add_directory(run, list, name, dir)
  for i, path in ipairs(artifacts.files(run, dir)) do
    if i > MAX_FILES then break end
    list[#list + 1] = file_of(name .. path:sub(#dir + 1), run.root .. "/" .. path)
  end
end

local function made(run, step, here)
  local list = {}
  for _, o in ipairs(step.agent_io.outputs) do
    local path = here(o.path)
    local st = fs.stat(run.root .. "/" .. path)
    if st and st.type == "dir" then
      add_directory(run, list, here(o.name), path)
    elseif st then
      local one = file_of(here(o.name), run.root .. "/" .. path)
      table.insert(list, o.primary and 1 or #list + 1, one)
    end
  end
  return list
end

local function read(run, step, here)
  local list = {}
  for _, one in ipairs(step.agent_io.inputs) do
    if one.path and one.name:find("%.json$") then
      list[#list + 1] = file_of(here(one.name), run.root .. "/" .. here(one.path))
    end
  end
  return list
end

--- What the checks of a step look at.
---@param run orrery.Run
---@param step orrery.Step
---@param role string
---@param here fun(path: string): string
---@return orrery.CheckInput
function checks.input(run, step, role, here)
  local list = made(run, step, here)
  return { step = step.id, role = role, params = run.values, artifacts = list,
    inputs = read(run, step, here), value = list[1] and list[1].value }
end

--- Does one check. What it says is wrong: nothing (nil, true, an empty list), a list of
--- texts, or false and a text. One that raises refuses.
---@param fn fun(it: orrery.CheckInput): any
---@param it orrery.CheckInput
---@return string[] complaints
function checks.judge(fn, it)
  local verdict, more
  local ok, why = loop.try(function() verdict, more = fn(it) end)
  if not ok then return { "the check failed: " .. errors.text(why) } end
  if verdict == nil or verdict == true then return {} end
  if type(verdict) ~= "table" then return { tostring(more or verdict or "refused") } end
  local out = {}
  for i, text in ipairs(verdict) do out[i] = tostring(text) end
  return out
end

return checks
