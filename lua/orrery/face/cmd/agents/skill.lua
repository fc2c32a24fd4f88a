-- orrery agents skill list | show NAME | run NAME [-p k=v]
local args = require("orrery.face.args")
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local target = require("orrery.face.target")
local verbs = require("orrery.face.verbs")
local words = require("orrery.face.words")

local skill = {}

skill.usage = "orrery agents skill list | show NAME | run NAME [-p k=v…]"
skill.about = [[
Skills are named units in skills/: NAME.lua, which returns a function or a table { run, version,
doc, params, result, ttl }; or a program NAME with NAME.json beside it that says the same. run
takes params from -p, or from a JSON document with -p -, checks them, and prints the value.]]
skill.flags = { "json", "param", "cache", "quiet", force = { takes = false, many = false,
  help = "run it again all the same" } }
skill.examples = { { "orrery agents skill list", "names, versions and what they are for" },
  { "orrery agents skill run rate -p plan=a.json", "its value, as JSON" },
  { "echo '{\"n\": 2}' | orrery agents skill run rate -p -", "params from standard input" } }

local function print_json(c, value)
  c.out(json.encode(value, { lossy = true, indent = 2 }) .. "\n")
end

local known = {}

function known.list(c)
  local list = require("orrery.skills").list({ root = (target.root()) })
  if c.opts.json then
    print_json(c, pack.array(list))
    return 0
  end
  if #list == 0 then
    c.err("there are no skills here; one is skills/NAME.lua, which returns a function of ctx, "
      .. "or a program skills/NAME\n")
  end
  local rows = {}
  for i, one in ipairs(list) do
    rows[i] = { one.name, one.version or "", one.error and "cannot be used: " .. one.error
      or one.doc or "" }
  end
  for _, line in ipairs(words.columns(rows)) do c.out(line .. "\n") end
  return 0
end

local function named(c)
  return c.words[2] or errors.raise("usage", "which skill?", { hint = skill.usage })
end

-- A skill that is not there is a wrong word on the command line.
local function get(root, name)
  local ok, one = pcall(require("orrery.run.agents.skills").get, root, name)
  if ok then return one end
  if one.code == "skill" then errors.raise("usage", one.message) end
  error(one, 0)
end

function known.show(c)
  local one = get((target.root()), named(c))
  print_json(c, { name = one.name, file = one.file, version = one.version, doc = one.doc,
    params = one.params, result = one.result, ttl = one.ttl })
  return 0
end

-- A text as the type that the schema of the param asks for.
local function typed(one, name, text)
  local of = type(one.params) == "table" and one.params.properties
  local kind = type(of) == "table" and type(of[name]) == "table" and of[name].type
  if kind == "string" or not kind then return text end
  local value = json.decode(text)
  if value == nil then return text end
  return value
end

local function params_of(c, one)
  if c.opts.param and #c.opts.param == 1 and c.opts.param[1] == "-" then
    local value, why = json.decode(io.read("a"), { name = "standard input" })
    if type(value) ~= "table" then
      errors.raise("usage", value == nil and why.message or "the params are no object")
    end
    return value
  end
  local out = {}
  for name, text in pairs(args.pairs(c.opts.param, "-p")) do out[name] = typed(one, name, text) end
  return out
end

function known.run(c)
  local root, conf = target.root()
  local one = get(root, named(c))
  local params = params_of(c, one)
  local bad = require("orrery.run.agents.skills").misfit(one, "params", params, root)
  if bad then errors.raise("usage", bad.message) end
  local value, result = require("orrery.run.skillcall").call(root, conf, one.name, params,
    { cache = c.opts.cache, force = c.opts.force, argv = c.argv })
  if c.opts.json then
    print_json(c, { skill = one.name, version = one.version, value = value,
      cached = result.cached or false, seconds = result.seconds })
  else
    if not c.opts.quiet then c.err(result.stdout or "") end
    print_json(c, value == nil and pack.null or value)
  end
  return 0
end

--- Does what its first word says.
---@param c table the invocation
---@return integer
function skill.main(c)
  return verbs.go(c, "skill", skill.usage, known)
end

return skill
