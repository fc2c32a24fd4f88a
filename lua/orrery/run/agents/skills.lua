-- Where skills are, and what they say of themselves: skills/NAME.lua, which returns a function
-- or a table { run, version, doc, params, result, ttl }; or skills/NAME, a program, whose
-- skills/NAME.json or .yaml says the same. What a Lua skill says is read in the box that
-- workflow files are read in: it runs no command.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")
local sandbox = lazy("orrery.model.sandbox")
local schema = lazy("orrery.knowledge.schema")
local sorted = require("orrery.kernel.sorted")
local units = lazy("orrery.model.units")
local yaml = lazy("orrery.core.yaml")

local skills = {}

---@class orrery.Skill
---@field name string
---@field path string      absolute
---@field file string      relative to the root
---@field about string     the file that says the rest, for messages
---@field lua boolean
---@field text? string     the source of a Lua skill
---@field version? string
---@field doc? string
---@field params? table    JSON Schema
---@field result? table    JSON Schema
---@field ttl? number      seconds

--- A skill's file.
---@param root string
---@param name string
---@return string? path absolute; nil: there is none
---@return boolean? is_lua
function skills.find(root, name)
  if not fs.inside(name) then return nil end
  local base = root .. "/skills/" .. name
  for _, ending in ipairs({ ".lua", "" }) do
    local st = fs.stat(base .. ending)
    if st and st.type == "file" then return base .. ending, ending == ".lua" end
  end
end

--- The names of all skills, sorted.
---@param root string
---@return string[]
function skills.names(root)
  local out, seen = {}, {}
  for _, file in ipairs(fs.list(root .. "/skills") or {}) do
    local name = file:gsub("%.lua$", "")
    local path, is_lua = skills.find(root, name)
    local st = path and fs.stat(path)
    if path and not seen[name] and (is_lua or (st.mode & 73) ~= 0) then
      seen[name] = true
      out[#out + 1] = name
    end
  end
  table.sort(out)
  return out
end

local function refuse(file, text, hint)
  errors.invalid { { place = { file = file }, level = "error", text = text, hint = hint } }
end

local spec = { run = "function", version = "string", doc = "string", params = "table",
  result = "table", ttl = "string" }

-- Takes over what is said, each word checked.
local function take(one, said)
  for k, v in sorted.pairs(said) do
    local want = spec[k]
    if not want or k == "run" and not one.lua then
      refuse(one.about, ("unknown field '%s' of a skill"):format(tostring(k)),
        nearest.hint(tostring(k), spec) or "it has " .. table.concat(sorted.keys(spec), ", "))
    end
    if type(v) == "number" and k == "version" then v = tostring(v) end
    local other = k == "ttl" and type(v) == "number"
      or (k == "params" or k == "result") and type(v) == "boolean"
    if type(v) ~= want and not other then
      refuse(one.about, ("%s of a skill must be a %s, not a %s"):format(k, want, type(v)))
    end
    if k ~= "run" then one[k] = v end
  end
  if one.ttl then
    local seconds = units.seconds(one.ttl)
    if not seconds or seconds <= 0 then
      refuse(one.about, ("ttl '%s' is not a duration"):format(one.ttl), 'write "90s" or "1h"; '
        .. "a step that is not to be remembered says cache = false")
    end
    one.ttl = seconds
  end
end

local function of_lua(root, one)
  local text, why = fs.read(one.path)
  if not text then errors.raise("skill", why.message) end
  one.text = text
  local box = sandbox.new({ root = root })
  local ok, value = pcall(box.evaluate, box, text, one.file)
  if not ok then
    -- Only what says nothing of itself may need more than the box has.
    if not text:find("%f[%w]run%s*=") and load(text, "@" .. one.file, "t") then return end
    if errors.is(value) then error(value, 0) end
    refuse(one.file, (errors.text(value):gsub("^[^:]+:%d+: ", "")))
  end
  if type(value) == "function" then return end
  if type(value) ~= "table" or type(value.run) ~= "function" then
    refuse(one.file, "a skill returns a function of ctx, or a table with run = function(ctx)")
  end
  take(one, value)
end

local function of_program(root, one)
  for _, ending in ipairs { ".json", ".yaml", ".yml" } do
    local file = "skills/" .. one.name .. ending
    local text = fs.read(root .. "/" .. file)
    if text then
      one.about = file
      local decode = ending == ".json" and json.decode or yaml.decode
      local said, why = decode(text, { name = file })
      if type(said) ~= "table" then
        refuse(file, said == nil and why and errors.text(why) or "it is no map")
      end
      return take(one, said)
    end
  end
end

--- A skill, with what it says of itself. Raises code "skill" when there is none of that name,
--- "invalid" when what it says makes no sense.
---@param root string
---@param name string
---@return orrery.Skill
function skills.get(root, name)
  local path, is_lua = skills.find(root, name)
  if not path then
    local names = {}
    for _, other in ipairs(skills.names(root)) do names[other] = true end
    local hint = nearest.hint(name, names)
    errors.raise("skill", ("there is no skill '%s'; %s"):format(name, hint
      or ("write skills/%s.lua, which returns function(ctx) … end, or a program skills/%s")
        :format(name, name)))
  end
  local file = "skills/" .. name .. (is_lua and ".lua" or "")
  local one = { name = name, path = path, file = file, about = file, lua = is_lua }
  if is_lua then of_lua(root, one) else of_program(root, one) end
  return one
end

local SHOWN = 5

--- Does a value fit what the skill says of its params or its result?
---@param one orrery.Skill
---@param which "params"|"result"
---@param value any
---@param root string
---@return table? err class "params" or "schema", message, feedback; nil: it fits
function skills.misfit(one, which, value, root)
  if one[which] == nil then return nil end
  local validator, why = schema.get(one[which], { root = root })
  if not validator then
    return { class = "schema", unusable = true,
      message = ("%s: its %s schema: %s"):format(one.about, which, why.message) }
  end
  local ok, list = validator:validate(value)
  if ok then return nil end
  local texts = {}
  for i, e in ipairs(list) do
    texts[i] = ("%s: %s"):format(e.path == "" and which or e.path, e.message)
  end
  local shown = table.concat(texts, "; ", 1, math.min(#texts, SHOWN))
  if #texts > SHOWN then shown = ("%s; and %d more"):format(shown, #texts - SHOWN) end
  return { class = which == "params" and "params" or "schema", feedback = texts,
    message = ("the %s of skill %s %s wrong: %s"):format(which, one.name,
      which == "params" and "are" or "is", shown) }
end

return skills
