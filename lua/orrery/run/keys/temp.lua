-- Temporary outputs (`temp = true`): deleted after their last consumer. An absent one is
-- clean: it counts with its recorded digest and comes back only when a consumer really runs.
local fs = require("orrery.core.fs")
local still = require("orrery.run.keys.still")

local temp = {}

local function state(run)
  local t = run.temps
  if not t then
    t = { absent = {}, waiting = {} }
    run.temps = t
    for _, step in ipairs(run.workflow.steps) do
      for _, id in ipairs(step.needs) do
        local producer = run.workflow.by_id[id]
        if producer and producer.temp then t.waiting[id] = (t.waiting[id] or 0) + 1 end
      end
    end
  end
  return t
end

--- May this output be missing? Then it is noted with its digest.
---@param run orrery.Run
---@param step orrery.Step
---@param out { path: string, digest?: string, mode: integer }
---@return boolean
function temp.may_be_absent(run, step, out)
  if not step.temp or not out.digest or fs.lstat(run.root .. "/" .. out.path) then return false end
  if not (run.store and run.store:has_blob(out.digest)) then return false end
  state(run).absent[out.path] = out
  return true
end

--- The recorded fact of an absent temporary file, or nil.
---@param run orrery.Run
---@param path string
---@return { path: string, digest: string, mode: integer }?
function temp.absent(run, path) return run.temps and run.temps.absent[path] end

local function bring(run, path)
  local out = run.temps.absent[path]
  if not out then return true end
  local ok, why = run.store:restore(out.digest, run.root, path, out.mode)
  if not ok then return false, why.message end
  run.temps.absent[path] = nil
  run.index:forget(run.root .. "/" .. path)
  return true
end

-- The files of a result, or of those of a group.
local function files_of(r, out)
  for _, path in ipairs(r and r.outputs or {}) do out[#out + 1] = path end
  for _, one in ipairs(r and r.results or {}) do files_of(one, out) end
end

--- Puts the absent ones among 'files' back before a consumer runs, and those of the steps it
--- needs: it may read them without saying so.
---@param run orrery.Run
---@param step orrery.Step
---@param files string[]
---@return string? path that is neither here nor in the cache any more
---@return string? why
function temp.put_back(run, step, files)
  if not run.temps or next(run.temps.absent) == nil then return nil end
  local all = table.move(files, 1, #files, 1, {})
  for _, id in ipairs(step.needs) do files_of(run.results[id], all) end
  for _, path in ipairs(all) do
    local ok, why = bring(run, path)
    if not ok then return path, why end
  end
end

--- A step that was counted as one consumer becomes n of them.
---@param run orrery.Run
---@param step orrery.Step
---@param n integer
function temp.spread(run, step, n)
  local waiting = state(run).waiting
  for _, id in ipairs(step.needs) do
    if waiting[id] then waiting[id] = waiting[id] + n - 1 end
  end
end

-- Where another run still reads it, that one deletes it.
local function remove(run, id)
  local held = run.crowd:unread(run, id)
  if not held then return end
  local r = run.results[id]
  for _, path in ipairs(r and r.outputs or {}) do
    fs.remove(run.root .. "/" .. path)
    still.over(run)
    run.index:forget(run.root .. "/" .. path)
  end
  if held ~= true then held:close() end
end

--- A temporary step of whose files one is neither here nor known to be absent: it was deleted
--- when all had read it that were to, and is wanted once more.
---@param run orrery.Run
---@param step orrery.Step
---@return string? id
function temp.lost(run, step)
  local t = run.temps
  for _, id in ipairs(t and next(t.waiting) and step.needs or {}) do
    local r = t.waiting[id] and run.results[id]
    for _, path in ipairs(r and r.outputs or {}) do
      if not t.absent[path] and not fs.lstat(run.root .. "/" .. path) then return id end
    end
  end
end

--- A step that was made once more has ended: what came back for it alone goes again.
---@param run orrery.Run
---@param step orrery.Step
function temp.sweep(run, step)
  for _, id in ipairs(run.temps and step.needs or {}) do
    if run.temps.waiting[id] == 0 then remove(run, id) end
  end
end

--- A step has ended well: deletes what only it still waited for.
---@param run orrery.Run
---@param step orrery.Step
function temp.release(run, step)
  local t = state(run)
  if next(t.waiting) == nil then return end
  for _, id in ipairs(step.needs) do
    local n = t.waiting[id]
    if n == 1 then remove(run, id) end
    if n then t.waiting[id] = n - 1 end
  end
end

return temp
