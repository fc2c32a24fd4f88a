-- From a name or a file to a Workflow. A workflow file is text: Lua, YAML, or the YAML
-- dialect of agents.
local build = require("orrery.model.build")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local lazy = require("orrery.kernel.lazy")
local mistakes = lazy("orrery.model.mistakes")
local place = require("orrery.model.place")
local reading = require("orrery.model.reading")
local report = require("orrery.model.report")
local sandbox = require("orrery.model.sandbox")
local workflow = require("orrery.model.workflow")

local load = {}

local DIR = "workflows"
local MOST = 16 << 20
local endings = { "lua", "yaml", "yml" }

local function invalid(file, text, hint)
  errors.invalid { { place = { file = file }, level = "error", text = text, hint = hint } }
end

-- As the user would name it: relative to the root where inside.
local function display(path, root)
  local prefix = root == "/" and "/" or root .. "/"
  return path:sub(1, #prefix) == prefix and path:sub(#prefix + 1) or path
end

local function check_file(path, name)
  local st, why = fs.stat(path)
  if not st then errors.raise("usage", why.message) end
  if st.type == "dir" then invalid(name, "this is a directory; a workflow is a file") end
  if st.type ~= "file" then invalid(name, "this is not a regular file") end
  if st.size > MOST then
    invalid(name, ("the file has %d MiB; a workflow file has at most %d"):format(st.size >> 20,
      MOST >> 20))
  end
end

local function read(box, path, name)
  check_file(path, name)
  local text, why = reading.file(box, name, MOST)
  if not text then errors.raise("usage", why.message) end
  return text
end

local function settle_place(node, name, text)
  if not node.place.line then
    node.place = { file = name, line = place.find(text, "%f[%w_]workflow%f[^%w_]") }
  end
end

local function from_lua(box, text, name, r)
  local ok, value = pcall(box.evaluate, box, text, name)
  if not ok then
    r:caught(mistakes.raised(value, build.new()), { file = name })
    r:settle()
  end
  if not (build.is(value, "workflow") and value.fields) then
    invalid(name, mistakes.not_a_workflow(value, build.is))
  end
  settle_place(value, name, text)
  return value
end

local function make(node, info, opts, box, r)
  local ok, wf = pcall(workflow.make, node, info, opts, box, r)
  if ok then return wf end
  if type(wf) == "table" and (wf.code == "usage" or wf.messages) then error(wf, 0) end
  if type(wf) == "string" and not wf:find("^[^\n]-:%d+: ") then error(wf, 0) end
  r:caught(wf, node.place)
  r:settle()
end

local function absolute(path, root)
  return fs.normal(fs.at(root, path))
end

-- The name a workflow has when it gives itself none.
local function base_name(name)
  return (name:gsub("%.[^./]*$", ""):gsub("^" .. DIR .. "/", ""))
end

-- The params of a workflow that is a step of this one; each file is loaded once, and only
-- looked at: its own nested ones are checked when it is.
local function inner_of(path, opts, config, inside)
  return function(other)
    other = absolute(other, opts.root)
    if other == path then return nil end
    inside[other] = inside[other] or load.file(other, { root = opts.root, config = config,
      inspect = true, stop = opts.stop })
    return inside[other].params
  end
end

--- Loads a file. Raises code "invalid" with messages, or "usage" about params.
---@param path string absolute, or relative to the root
---@param opts { root: string, params?: table, config?: table, inspect?: boolean, stop?: function,
---  past?: table }  inspect: missing params are no error (list, show); stop: asked while the
---  file runs; past: what files were at an earlier commit
---@return orrery.Workflow
function load.file(path, opts)
  local config = opts.config or require("orrery.model.config").load(opts.root)
  path = absolute(path, opts.root)
  local name = display(path, opts.root)
  local box = sandbox.new({ root = opts.root, path = config.path, stop = opts.stop,
    past = opts.past })
  local r = report.new(box.sources)
  local text = read(box, path, name)
  local info = { name = base_name(name), file = path, root = opts.root, form = "lua",
    config = config, find = function(other) return load.find(other, opts.root, config) end }
  local inside = {}
  if not opts.inspect then info.inner = inner_of(path, opts, config, inside) end
  local wf
  if name:find("%.ya?ml$") then
    wf = require("orrery.model.yaml").load(text, name, info, opts, box, r)
  else
    wf = make(from_lua(box, text, name, r), info, opts, box, r)
  end
  if config.reads then reading.join(wf.reads, config.reads) end
  for _, other in next, inside do reading.join(wf.reads, other.reads) end
  return wf
end

local function walk(dir, prefix, visit, depth)
  for _, entry in ipairs(fs.list(dir) or {}) do
    local full = dir .. "/" .. entry
    local st = entry:sub(1, 1) ~= "." and fs.stat(full)
    local base = entry:match("^(.+)%.lua$") or entry:match("^(.+)%.ya?ml$")
    if st and st.type == "dir" and depth < 4 then
      walk(full, prefix .. entry .. "/", visit, depth + 1)
    elseif st and st.type == "file" and base then
      visit(prefix .. base, full)
    end
  end
end

local function names_in(root)
  local names = {}
  walk(root .. "/" .. DIR, "", function(name)
    if names[#names] ~= name then names[#names + 1] = name end
  end, 1)
  return names
end

local function is_path(name)
  return name:find("^%.?%.?/") or name:find("%.lua$") or name:find("%.ya?ml$")
end

--- The names of all workflows of a root.
---@param root string
---@return string[]
function load.names(root) return names_in(root) end

--- The file of a workflow, by name (workflows/NAME.lua or .yaml) or by path; and all names.
--- Raises code "usage" when a name has two files.
---@param name string
---@param root string
---@param _ orrery.Config?
---@return string? path
---@return string[] names
function load.find(name, root, _)
  if is_path(name) then
    local path = absolute(name, root)
    return fs.stat(path) and path or nil, names_in(root)
  end
  local found
  for _, ending in ipairs(endings) do
    local path = ("%s/%s/%s.%s"):format(root, DIR, name, ending)
    local st = not name:find("\0", 1, true) and fs.inside(fs.normal(name)) and fs.stat(path)
    if st and st.type == "file" then
      if found then
        errors.raise("usage", ("workflow '%s' is both %s and %s"):format(name,
          display(found, root), display(path, root)))
      end
      found = path
    end
  end
  return found, names_in(root)
end

--- The files among which workflows are, in order of their names.
---@param root string
---@return { name: string, path: string }[]
function load.files(root)
  local out = {}
  walk(root .. "/" .. DIR, "", function(name, path)
    out[#out + 1] = { name = name, path = path }
  end, 1)
  return out
end

--- One of them, loaded: with its workflow, or `error`; nil when it is a module that shares
--- the directory, or a policy.
---@param file { name: string, path: string }
---@param root string
---@param config orrery.Config
---@return { name: string, path: string, doc?: string, error?: string, workflow?: orrery.Workflow }?
function load.listed(file, root, config)
  local ok, wf = pcall(load.file, file.path, { root = root, config = config, inspect = true })
  if ok then return { name = file.name, path = file.path, doc = wf.doc, workflow = wf } end
  if load.is_module(wf) then return nil end
  return { name = file.name, path = file.path, error = errors.text(wf) }
end

--- The workflows of a root, each as load.listed gives it.
---@param root string
---@param config? orrery.Config
---@return table[]
function load.list(root, config)
  local out = {}
  config = config or require("orrery.model.config").load(root)
  for _, file in ipairs(load.files(root)) do
    out[#out + 1] = load.listed(file, root, config)
  end
  return out
end

--- Was the file refused only because it returns a module rather than a workflow?
---@param err any
---@return boolean
function load.is_module(err)
  local m = type(err) == "table" and err.messages and err.messages[1]
  return m ~= nil and m ~= false
    and m.text:find("^the file returned a %a+, not a workflow") ~= nil
end

return load
