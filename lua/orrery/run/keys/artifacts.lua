-- Paths that hold the run's id: its artifact directory above all. Keys and records know
-- them as "<run>", so that what one run paid for is put in place in the next.
local fs = require("orrery.core.fs")

local artifacts = {}

local MARK = "<run>"

--- The run's artifact directory, relative to the root.
---@param run orrery.Run
---@return string
function artifacts.dir(run) return (".orrery/runs/%s/artifacts"):format(run.id) end

--- A path, or a text, of this run: the marker becomes the id.
---@param id string
---@param path string
---@return string
function artifacts.here(id, path)
  if not path:find(MARK, 1, true) then return path end
  return (path:gsub(MARK, (id:gsub("%%", "%%%%"))))
end

--- A path as every run knows it: the id becomes the marker.
---@param run orrery.Run
---@param path string
---@return string
function artifacts.anywhere(run, path)
  local id = run.id
  if not id or not path:find(id, 1, true) then return path end
  return (path:gsub("[^/]+", function(part)
    if part == id then return MARK end
    if part == "run-" .. id then return "run-" .. MARK end
  end))
end

--- Is the path inside a run's directory? Globs do not see these.
---@param path string
---@return boolean
function artifacts.holds(path) return path:sub(1, 13) == ".orrery/runs/" end

--- The files below a directory of artifacts, relative to the root, sorted.
---@param run orrery.Run
---@param dir string
---@return string[]
function artifacts.files(run, dir)
  local out = {}
  for _, p in ipairs(fs.glob({ "**" }, { root = run.root .. "/" .. dir, ignore = false,
    hidden = true }) or {}) do
    out[#out + 1] = dir .. "/" .. p
  end
  for p in pairs(run.overlay or {}) do
    if p:sub(1, #dir + 1) == dir .. "/" then out[#out + 1] = p end
  end
  table.sort(out)
  return out
end

--- Outputs as a record keeps them.
---@param run orrery.Run
---@param outputs table[]
---@return table[]
function artifacts.for_record(run, outputs)
  local list = {}
  for i, o in ipairs(outputs) do
    local path = artifacts.anywhere(run, o.path)
    list[i] = { path = path, digest = o.digest, link = o.link, mode = o.mode }
  end
  return list
end

--- A record as it would be in this run; nil stays nil.
---@param run orrery.Run
---@param record table?
---@return table?
function artifacts.of_record(run, record)
  for _, o in ipairs(record and record.outputs or {}) do
    o.path = artifacts.here(run.id, o.path)
  end
  return record
end

--- For a plan: takes what a record would put in place for there.
---@param run orrery.Run
---@param record table
---@return boolean all false: with a link, whose file only the restored tree shows
function artifacts.promise(run, record)
  run.overlay = run.overlay or {}
  local all = true
  for _, o in ipairs(record.outputs) do
    run.overlay[o.path] = o
    all = all and o.digest ~= nil
  end
  return all
end

--- Would there be something below this directory, as a plan promises it?
---@param run orrery.Run
---@param dir string
---@return boolean
function artifacts.promised_below(run, dir)
  for p in pairs(run.overlay or {}) do
    if p:sub(1, #dir + 1) == dir .. "/" then return true end
  end
  return false
end

return artifacts
