-- For specs: a project in a fresh folder, and what loading from it says.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local load = require("orrery.model.load")
local sys = require("orrery.core.sys")

local project = {}

--- Makes a folder with these files (path → text) and returns its path.
---@param files table<string, string>
---@return string
function project.new(files)
  local root = ("%s/orrery-spec-%s"):format(os.getenv("TMPDIR") or "/tmp", sys.random(8))
  assert(fs.mkdir(root .. "/workflows"))
  for path, text in pairs(files) do
    local dir = path:match("^(.*)/")
    if dir then assert(fs.mkdir(root .. "/" .. dir)) end
    assert(fs.write_atomic(root .. "/" .. path, text))
  end
  return root
end

local function with(files, f)
  local root = project.new(files)
  local done = table.pack(pcall(f, root))
  fs.remove_tree(root)
  if not done[1] then error(done[2], 0) end
  return table.unpack(done, 2, done.n)
end

project.with = with

--- Loads workflows/x.lua (or the file named) with this text.
---@param text string
---@param opts? { file?: string, files?: table, params?: table, inspect?: boolean, stop?: function }
---@return orrery.Workflow
function project.load(text, opts)
  opts = opts or {}
  local files, file = { ["workflows/" .. (opts.file or "x.lua")] = text },
    "workflows/" .. (opts.file or "x.lua")
  for path, content in pairs(opts.files or {}) do files[path] = content end
  return with(files, function(root)
    return load.file(file, { root = root, params = opts.params, inspect = opts.inspect,
      stop = opts.stop })
  end)
end

local function short(text)
  return (text:gsub("workflows/(x%.%a+)", "%1"))
end

--- What loading the text says: its error as text, or its warnings. "workflows/x" is "x".
---@param text string
---@param opts? table
---@return string
function project.says(text, opts)
  local ok, wf = pcall(project.load, text, opts)
  if not ok then return short(errors.text(wf)) end
  local lines = {}
  for i, m in ipairs(wf.warnings) do lines[i] = short(errors.line(m)) end
  return table.concat(lines, "\n")
end

--- As says, for the entries of o.workflow "x" { … } from line 2 on.
---@param entries string
---@param opts? table
---@return string
function project.of(entries, opts)
  return project.says('local o = require("orrery") return o.workflow "x" {\n' .. entries .. "\n}",
    opts)
end

--- As of, but the loaded workflow.
---@param entries string
---@param opts? table
---@return orrery.Workflow
function project.flow(entries, opts)
  return project.load('local o = require("orrery") return o.workflow "x" {\n' .. entries .. "\n}",
    opts)
end

return project
