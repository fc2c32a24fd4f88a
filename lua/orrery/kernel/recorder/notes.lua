-- What a function on a worker did to the world: files it read, names it looked at,
-- variables, and what makes its result no function of these. Paths inside the root are
-- kept relative to it.
local sorted = require("orrery.kernel.sorted")

local notes = {}
local Notes = {}
Notes.__index = Notes

local MAX_LOG = 8 << 20

--- An empty record.
---@param place { root?: string, cwd?: string } shared by all records of a worker
function notes.new(place)
  return setmetatable({ place = place, files = {}, looks = {}, vars = {}, kinds = {},
    log = {}, logged = 0 }, Notes)
end

--- Where a path leads: relative ones begin at the job's directory.
---@param path string
---@return string
function Notes:at(path)
  local cwd = self.place.cwd
  if not cwd or path:sub(1, 1) == "/" then return path end
  return cwd .. "/" .. path
end

-- The path as it is kept.
local function canonical(self, path)
  local place = self.place
  local fs = require("orrery.core.fs")
  local cwd = place.cwd or require("orrery.core.sys").cwd()
  local full = fs.normal(fs.at(cwd, path))
  local root = place.root or cwd
  if full == root then return "." end
  if full:sub(1, #root + 1) == root .. "/" then return full:sub(#root + 2) end
  return full
end

--- A file whose contents, or absence, were seen.
---@param path string
function Notes:file(path) self.files[canonical(self, path)] = true end

--- Something but contents: its stat, the names in a directory, the files of a glob.
---@param kind "stat"|"list"|"glob"
---@param path string
---@param more? { patterns: string[], ignore?: boolean, hidden?: boolean }
function Notes:look(kind, path, more)
  local look = { kind = kind, path = canonical(self, path) }
  local id = kind .. "\0" .. look.path
  if more then
    look.patterns, look.ignore, look.hidden = more.patterns, more.ignore, more.hidden
    id = ("%s\0%s\0%s\0%s"):format(id, table.concat(more.patterns, "\0"),
      tostring(more.ignore), tostring(more.hidden))
  end
  self.looks[id] = look
end

--- An environment variable that was read.
function Notes:var(name) self.vars[name] = true end

--- A use of the clock, randomness …; `what` is the function that was called.
---@param kind string "clock", "random", "process", "write", "http", "cache", "stdin"
---@param what string
function Notes:impure(kind, what)
  if not self.kinds[kind] then self.kinds[kind] = what end
end

--- A text the function printed. What is over 8 MiB is dropped, and the log says so.
function Notes:print(text)
  if self.logged > MAX_LOG then return end
  self.logged = self.logged + #text
  if self.logged > MAX_LOG then
    text = text:sub(1, #text - (self.logged - MAX_LOG)) .. "\n[the rest of the log was dropped]\n"
  end
  self.log[#self.log + 1] = text
end

--- Adds another record's entries, all but its log.
function Notes:join(other)
  for _, part in ipairs { "files", "looks", "vars", "kinds" } do
    local into = self[part]
    for k, v in pairs(other[part]) do
      if into[k] == nil then into[k] = v end
    end
  end
end

--- Is nothing in it?
function Notes:empty()
  return self.logged == 0 and next(self.files) == nil and next(self.looks) == nil
    and next(self.vars) == nil and next(self.kinds) == nil
end

--- As plain data.
---@return orrery.WorkerFacts
function Notes:facts()
  local looks = {}
  for _, look in sorted.pairs(self.looks) do looks[#looks + 1] = look end
  return { log = table.concat(self.log), reads = sorted.keys(self.files), looks = looks,
    env = sorted.keys(self.vars), impure = self.kinds }
end

return notes
