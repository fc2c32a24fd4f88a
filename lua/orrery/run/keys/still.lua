-- What is known of files while the run stands still: until the loop waits, nothing that the
-- run started can be told to have ended, and what was just seen need not be looked at again.
-- In a run where nothing changed that is all of it: each file is looked at once, however
-- many steps read it.
--
-- What the run itself changes without waiting (a restored or a removed file) is forgotten by
-- its name. From the first such change on, nothing is remembered that lies behind a symlinked
-- directory: a file has one name then.
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")

local still = {}

-- Facts keep their tables when a later look finds the same: 'seen' says in which standstill
-- each was seen last, 'now' which one this is.
--- A fresh memory, for run.still; nested runs share it.
---@return { facts: table<string, table>, seen: table<string, integer>, now: integer,
---  dirs: table<string, boolean>, careful: boolean }
function still.new() return { facts = {}, seen = {}, now = 1, dirs = {}, careful = false } end

--- Forgets everything: the loop is about to wait, or what changed has no name.
---@param run orrery.Run
function still.over(run)
  local known = run.still
  if not known then return end
  known.now = known.now + 1
  if next(known.dirs) then known.dirs = {} end
end

local function dir_of(path) return path:match("^(.*)/[^/]*$") or "" end

-- Has a directory, as text below the root or absolute, no other name through a symlink?
local function is_plain(known, root, dir)
  if dir == "" then return true end
  local plain = known.dirs[dir]
  if plain ~= nil then return plain end
  local full = fs.at(root, dir)
  plain = is_plain(known, root, dir_of(dir))
  local st = plain and fs.lstat(full)
  plain = plain and (st == nil or st.type == "dir")
  known.dirs[dir] = plain
  return plain
end

--- Forgets one file, which the run is changing itself, or has just changed.
---@param run orrery.Run
---@param path string relative to the root
function still.forget(run, path)
  local known = run.still
  if not known then return end
  if not known.careful then
    known.careful = true
    known.now = known.now + 1
  end
  if is_plain(known, run.root, dir_of(path)) then
    known.seen[path] = nil
  else
    known.now = known.now + 1 -- whatever its other names are
  end
end

--- The fact of a file that was seen since the loop last waited, or nil.
---@param run orrery.Run
---@param path string
---@return table? fact { path, digest, executable }
function still.get(run, path)
  local known = run.still
  return known and known.seen[path] == known.now and known.facts[path] or nil
end

--- Remembers what was seen; returns it as a fact. Not of artifacts, which bodies write.
---@param run orrery.Run
---@param path string
---@param digest string
---@param mode integer?
---@return table fact
function still.put(run, path, digest, mode)
  local known, executable = run.still, mode and mode & 64 ~= 0
  local fact = known and known.facts[path]
  if not fact or fact[2] ~= digest or fact[3] ~= executable then
    fact = { artifacts.anywhere(run, path), digest, executable }
  end
  if known and not artifacts.holds(path)
    and (not known.careful or is_plain(known, run.root, dir_of(path))) then
    known.facts[path], known.seen[path] = fact, known.now
  end
  return fact
end

return still
