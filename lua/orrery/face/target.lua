-- From the words of a command line to a workflow file and step ids.
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local load = require("orrery.model.load")
local nearest = require("orrery.kernel.nearest")
local sys = require("orrery.core.sys")

local target = {}

--- The root and its configuration, seen from the current directory.
---@return string root
---@return orrery.Config
function target.root()
  local root = config.root(sys.cwd())
  return root, config.load(root)
end

local function is_path(word)
  return word:find("/", 1, true) ~= nil or word:find("%.lua$") or word:find("%.ya?ml$")
end

local function names_of(list)
  local names = {}
  for i, w in ipairs(list) do names[i] = w.name end
  return names
end

local function unknown(word, names)
  local guess = nearest.find(word, names)
  errors.raise("usage", ("there is no workflow '%s'"):format(word), { hint = guess
    and ("did you mean '%s'?"):format(guess)
    or #names > 0 and "the workflows are: " .. table.concat(names, ", ")
    or "write workflows/" .. word .. ".lua, or give a path" })
end

--- Which file and which steps the words mean: workflow X, else step X of the default
--- workflow.
---@param words string[] after the command's name
---@param root string
---@param conf orrery.Config
---@return string path of the workflow file
---@return string[] steps
function target.find(words, root, conf)
  local first = words[1]
  local rest = table.move(words, 2, #words, 1, {})
  if first == nil then
    if not conf.default then return nil, {} end
    first = conf.default
  elseif is_path(first) then
    return first:sub(1, 1) == "/" and first or sys.cwd() .. "/" .. first, rest
  end
  local path, names = load.find(first, root, conf)
  if path then return path, rest end
  if words[1] and conf.default then
    local default = load.find(conf.default, root, conf)
    if default then return default, words end
  end
  unknown(first, names or names_of(load.list(root, conf)))
end

--- Finds and loads.
---@param words string[]
---@param params table<string, string> raw -p values
---@param opts? { strict?: boolean }
---@return orrery.Workflow
---@return string[] steps
function target.load(words, params, opts)
  local root, conf = target.root()
  local path, steps = target.find(words, root, conf)
  if not path then return nil, {}, root, conf end
  local own = config.root(path:match("^(.*)/") or "/")
  if own ~= root then
    root, conf = own, config.load(own)
  end
  local wf = load.file(path, { root = root, params = params, config = conf,
    strict = opts and opts.strict })
  return wf, steps, root, conf
end

return target
