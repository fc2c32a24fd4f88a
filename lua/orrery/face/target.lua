-- From the words of a command line to a workflow and steps: workflow X, else step X of the
-- default workflow; when it is both, the words do not say which, and that is an error.
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local load = require("orrery.model.load")
local nearest = lazy("orrery.kernel.nearest")
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
  return word:find("^%.?%.?/") ~= nil or word:find("%.lua$") or word:find("%.ya?ml$")
end

-- A path is from the current directory, as everywhere in a shell; the name of a file that is
-- not there is looked for among the workflows.
local function from_path(word)
  local fs = require("orrery.core.fs")
  local path = fs.normal(fs.at(sys.cwd(), word))
  if not word:find("/", 1, true) and not fs.stat(path) then
    path = config.root(sys.cwd()) .. "/workflows/" .. word
  end
  if not fs.stat(path) then errors.raise("usage", ("there is no file '%s'"):format(word)) end
  local root = config.root(path:match("^(.*)/") or "/")
  return path, root, config.load(root)
end

-- Does the id stand for something in the workflow: a step, a group, a member of a fan-out,
-- or a glob over them?
local function has_step(wf, id)
  if wf.by_id[id] or wf.by_id[id:match("^(.-)%[.*%]$") or ""] then return true end
  if not id:find("[%*%?]") then return false end
  local pattern = require("orrery.run.graph.selection").pattern(id)
  for _, step in ipairs(wf.steps) do
    if step.id:find(pattern) then return true end
  end
  return false
end

local function unknown(word, names, wf)
  local ids = {}
  for _, name in ipairs(names) do ids[#ids + 1] = name end
  for id in pairs(wf and wf.by_id or {}) do ids[#ids + 1] = id end
  table.sort(ids)
  local guess = nearest.find(word, ids)
  errors.raise("usage", wf and ("there is no workflow '%s', nor a step of it in %s"):format(word,
    wf.name) or ("there is no workflow '%s'"):format(word), { hint = guess
    and ("did you mean '%s'?"):format(guess)
    or #names > 0 and "the workflows are: " .. require("orrery.face.words").some(names, 12)
    or ("orrery init %s writes workflows/%s.lua; or give a path"):format(word, word) })
end

local function load_default(conf, root, opts)
  if not conf.default then return nil end
  local path
  if is_path(conf.default) then
    path = root .. "/" .. conf.default
  else
    path = load.find(conf.default, root, conf)
  end
  if not path then
    errors.raise("invalid", ("orrery.lua: default = '%s', but there is no such workflow")
      :format(conf.default))
  end
  return load.file(path, opts)
end

local function options(root, conf, params, more)
  return { root = root, config = conf, params = params, strict = more.strict,
    inspect = more.inspect, sequential_fallback = more["sequential-fallback"] }
end

local function tail(words) return table.move(words, 2, #words, 1, {}) end

-- A name that is a workflow must not also be a step of the default one.
local function refuse_both(word, path, root, conf, opts)
  if not conf.default or conf.default == word then return end
  local ok, default = pcall(load_default, conf, root, { root = opts.root, config = opts.config,
    inspect = true })
  if ok and default and default.file ~= path and default.by_id[word] then
    errors.raise("usage", ("'%s' is a workflow (%s) and a step of the default workflow '%s'")
      :format(word, path:sub(#root + 2), default.name), { hint = ("write ./%s for the workflow, "
      .. "or '%s %s' for the step"):format(path:sub(#root + 2), conf.default, word) })
  end
end

local function by_name(words, root, conf, opts)
  local word = words[1]
  local path, names = load.find(word, root, conf)
  if path then
    refuse_both(word, path, root, conf, opts)
    return load.file(path, opts), tail(words)
  end
  local default = load_default(conf, root, opts)
  if default and has_step(default, word) then return default, words end
  unknown(word, names, default)
end

--- Finds and loads what the words name.
---@param words string[] after the command's name
---@param params table<string, string> raw -p values
---@param more? { strict?: boolean, inspect?: boolean } inspect: missing params are no error
---@return orrery.Workflow? nil: nothing was named and there is no default
---@return string[] steps
---@return orrery.Config
function target.load(words, params, more)
  more = more or {}
  if words[1] and is_path(words[1]) then
    local path, root, conf = from_path(words[1])
    return load.file(path, options(root, conf, params, more)), tail(words), conf
  end
  local root, conf = target.root()
  local opts = options(root, conf, params, more)
  if words[1] == nil then return load_default(conf, root, opts), {}, conf end
  local wf, steps = by_name(words, root, conf, opts)
  return wf, steps, conf
end

--- Raises the error that says how to make a first workflow where there is none.
function target.some()
  if #load.names((target.root())) > 0 then return end
  errors.raise("usage", "there are no workflows here",
    { hint = "orrery init writes a first one, workflows/main.lua" })
end

--- Raises the error of a command that was given no workflow where none is the default.
---@param verb? string "run", for commands of which the words can be shown
function target.unnamed(verb)
  target.some()
  local names = load.names((target.root()))
  local name = #names == 1 and names[1] or "NAME"
  errors.raise("usage", "no workflow is named, and none is the default",
    { hint = ("%s; return { default = \"%s\" } in orrery.lua makes it the default"):format(
      verb and ("name one: orrery %s %s"):format(verb, name)
        or "there is " .. table.concat(names, ", "), name) })
end

--- As load, but naming nothing is an error.
---@return orrery.Workflow
---@return string[] steps
---@return orrery.Config
function target.need(words, params, more)
  local wf, steps, conf = target.load(words, params, more)
  if wf then return wf, steps, conf end
  target.unnamed()
end

--- One step or group of a workflow by id; raises with a suggestion.
---@param wf orrery.Workflow
---@param id string
---@return orrery.Step|orrery.Group
function target.item(wf, id)
  local item = wf.by_id[id] or wf.by_id[id:match("^(.-)%[.*%]$") or ""]
  if item then return item end
  errors.raise("usage", ("there is no step '%s' in %s"):format(id, wf.name),
    { hint = nearest.hint(id, wf.by_id) or ("orrery list %s shows them"):format(wf.name) })
end

return target
