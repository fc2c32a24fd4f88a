-- What stands where a step is about to write: what is known to be its own is removed; what is
-- not stays, and a step that adds to that is not remembered.
local artifacts = require("orrery.run.keys.artifacts")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local last = require("orrery.run.memo.last")
local lazy = require("orrery.kernel.lazy")
local manifests = lazy("orrery.run.memo.manifests")
local memo = lazy("orrery.run.memo")

local clear = {}

-- Longer files are not looked through for what they began with.
local MOST = 64 * 1024 * 1024

-- Declared output files and links that are there, as they are.
local function present(run, job, keep)
  local out = {}
  for _, o in ipairs(job.outputs) do
    local st = not o.glob and not o.exclude and not keep[o.path]
      and fs.lstat(run.root .. "/" .. o.path)
    if st and (st.type == "file" or st.type == "link") then
      out[#out + 1] = { path = o.path, type = st.type, ino = st.ino, size = st.size,
        mode = st.mode }
    end
  end
  return out
end

-- What records of the step list that other runs made, which share the cache.
local function from_cache(run, step, keep)
  local any = false
  if run.store then run.store:refresh() end
  for _, record in ipairs(manifests.records(run, step)) do
    any = memo.remove_stale(run, step, artifacts.of_record(run, record), keep) or any
  end
  return any
end

--- Is there a directory or a place of a glob where outputs may lie that nobody names?
---@param run orrery.Run
---@param job table
---@return boolean
function clear.has_room(run, job)
  for _, o in ipairs(job.outputs) do
    local dir = o.glob and o.path:match("^[^%*%?%[{]*"):match("^(.*)/") or o.dir and o.path
    if not o.exclude and (o.glob or dir) and fs.stat(run.root .. "/" .. (dir or "")) then
      return true
    end
  end
  return false
end

--- Removes what a record of this step lists and is unchanged: its last one here, and where
--- files may lie that no output names, those in the cache, for the index may be lost or older.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param keep table<string, true> paths that stay
---@return boolean any was something removed?
function clear.stale(run, step, job, keep)
  local before = last.get(run, step)
  local any = before ~= nil and memo.remove_stale(run, step, before, keep)
  return clear.has_room(run, job) and from_cache(run, step, keep) or any
end

--- Removes what a record of this step lists and is unchanged, but not what the step edits in
--- place: its last one here, then those of other runs that share the cache.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@return { path: string, type: string, ino: integer, size: integer, mode: integer,
---  digest?: string }[]
---  strange: the outputs that stay, of which nobody knows where they are from
function clear.outputs(run, step, job)
  if step.keep then return {} end
  local keep = {}
  for _, p in ipairs(job.files) do keep[p] = true end
  clear.stale(run, step, job, keep)
  if #present(run, job, keep) == 0 then return {} end
  from_cache(run, step, keep)
  local strange = present(run, job, keep)
  for _, o in ipairs(strange) do o.digest = run.index:digest(run.root .. "/" .. o.path) end
  return strange
end

local function adds_to(full, o, st)
  if st.size <= o.size or o.size == 0 or st.size > MOST then return false end
  local text = fs.read(full)
  return text ~= nil and hash.sha256(text:sub(1, o.size)) == o.digest
end

--- How the step has used what was there, instead of making it anew: what is there now is not
--- a result of the step's inputs alone.
---@param run orrery.Run
---@param strange table[] from clear.outputs
---@return string? said of the step
function clear.used(run, strange)
  for _, o in ipairs(strange) do
    local full = run.root .. "/" .. o.path
    local st = o.type == "file" and o.digest and fs.lstat(full)
    if st and st.type == "file" and st.ino == o.ino then
      if adds_to(full, o, st) then
        return ("it adds to %s, which was there before"):format(o.path)
      end
      if o.mode & 73 ~= 0 and st.mode & 73 ~= 0 then
        return ("it writes into %s, which was there before and is a program"):format(o.path)
      end
    end
  end
end

return clear
