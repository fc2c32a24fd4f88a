-- Why a step runs: how it differs from the nearest manifest that is stored, and what in this
-- run made it differ, down to the first change that is not itself a result.
--
-- run.why holds the reasons of each step that ran, run.moved the records between which each
-- restored one changed. Both are read only when a step after it asks.
local lazy = require("orrery.kernel.lazy")
local differ = lazy("orrery.run.memo.differ")
local inputs = require("orrery.run.keys.inputs")
local last = require("orrery.run.memo.last")
local manifests = lazy("orrery.run.memo.manifests")
local sys = require("orrery.core.sys")

local why = {}

-- How long a chain of causes may be, and how many reasons the journal keeps of one step.
local LONGEST, MOST = 64, 500

local function one(kind, text) return { { kind = kind, text = text } } end

local FIRST = one("first", "first run")
local FORCED = one("forced", "forced")
local OFF = one("off", "the cache is off")

---------------------------------------------------------------------------
-- the reasons of one step

local function always(run, text)
  local known = run.always[text] -- one for all the steps that have it
  if not known then
    known = one("always", "always (" .. text .. ")")
    run.always[text] = known
  end
  return known
end

local function where(run, record)
  local root = record.made and record.made.root
  if not root or root == run.root then return "an earlier run" end
  return root
end

-- Nothing of this checkout's last run is there to compare with.
local function elsewhere(run, step, manifest, before)
  local reasons, record = manifests.nearest(run, step, manifest)
  if not reasons or #reasons == 0 then return nil end
  if not before then
    table.insert(reasons, 1, { kind = "first", text = "first run here; compared with "
      .. where(run, record) })
  end
  return reasons
end

local function after_failure(before, manifest)
  local failed = before.failed
  local out = one("failed", ("its last attempt failed (%s)"):format(failed.message))
  for _, r in ipairs(failed.manifest and differ.of(failed.manifest, manifest) or {}) do
    out[#out + 1] = r
  end
  return out
end

local function lost(before)
  if not before.full then return FIRST end
  return one("gone", "its earlier result is no longer in the cache")
end

local function miss(run, step, job)
  local before = last.get(run, step)
  if before and before.failed then return after_failure(before, job.manifest) end
  local record = manifests.record(run, before and before.full)
  if record and record.manifest then
    local reasons = manifests.diff(run, step, job.manifest, record)
    if #reasons > 0 then return reasons end
    return one("changed", "its recorded result does not fit any more")
  end
  if before and before.unkept then
    return one("unkept", "its last result was not remembered: " .. before.unkept)
  end
  if before and before.expires and before.expires <= sys.wall() then
    return one("expired", "its result expired (ttl)")
  end
  return elsewhere(run, step, job.manifest, before) or before and lost(before) or FIRST
end

local function reasons_of(run, step, job)
  if not job.pure then return always(run, job.why) end
  if job.forced then return FORCED end
  if job.lost then return one("gone", job.lost) end
  if run.opts.cache == "off" or run.cache_off then return OFF end
  if run.opts.cache == "wo" then return one("off", "the cache is only written") end
  return miss(run, step, job)
end

---------------------------------------------------------------------------
-- causes

-- Why a step before this one came to something else in this run; nil: it did not, or
-- nothing is known.
local function of_step(run, id)
  local reasons = run.why[id]
  if reasons then return id, reasons end
  local moved = run.moved[id]
  if moved then
    local was, now = manifests.record(run, moved[1]), manifests.record(run, moved[2])
    if was and now and was.manifest and now.manifest then
      reasons = differ.of(manifests.of(was), manifests.of(now))
      if #reasons > 0 then return id, reasons end
    end
  end
  local node = run.scheduler and run.scheduler.nodes[id]
  for _, m in ipairs(node and node.members or {}) do
    local of, found = of_step(run, m.id)
    if found then return of, found end
  end
end

local function maker(run, r)
  if r.step then return r.step end
  if r.kind == "file" and r.name then return (inputs.owner(run, r.name)) end
end

-- The one to follow: the first that is no result of another step, else the first.
local function best_of(run, reasons)
  for _, r in ipairs(reasons) do
    if not maker(run, r) then return r end
  end
  return reasons[1]
end

local said = { first = "%s ran for the first time", forced = "%s was forced",
  always = "%s always runs", failed = "%s failed the last time", off = "%s ran without the cache" }

local function link(id, r)
  local pattern = said[r.kind]
  return { step = id, text = pattern and pattern:format(id) or r.text }
end

--- From a reason to the first change that is not itself a result.
---@param run orrery.Run
---@param step orrery.Step
---@param reason orrery.Reason
---@return { step: string, text: string }[]? chain
local function chain_of(run, step, reason)
  local out, seen = {}, { [step.id] = true }
  local r = reason
  for _ = 1, LONGEST do
    local id = maker(run, r)
    local reasons
    if id and not seen[id] then id, reasons = of_step(run, id) end
    if not reasons or seen[id] then break end
    seen[id] = true
    r = best_of(run, reasons)
    out[#out + 1] = link(id, r)
  end
  return #out > 0 and out or nil
end

--- Why a step of this run came to something else, at the root of it; nil: nothing is known.
---@param run orrery.Run
---@param id string
---@return string?
function why.root(run, id)
  local of, reasons = of_step(run, id)
  local r = reasons and best_of(run, reasons)
  return r and (r.chain and r.chain[#r.chain].text or link(of, r).text)
end

-- That a step has a new result is said by its files, when they are read.
local function without_echoes(reasons)
  local told, out = {}, {}
  for _, r in ipairs(reasons) do
    if r.step and r.kind ~= "needs" then told[r.step] = true end
  end
  for _, r in ipairs(reasons) do
    if r.kind ~= "needs" or not told[r.step] then out[#out + 1] = r end
  end
  return out
end

-- Shared lists have no cause, and are not to be changed.
local function with_chains(run, step, reasons)
  local some = false
  for i = 1, math.min(#reasons, MOST) do
    local r = reasons[i]
    local id = maker(run, r)
    if id and id ~= step.id then
      r.step, r.chain, some = id, chain_of(run, step, r), true
    end
  end
  return some and without_echoes(reasons) or reasons
end

--- The reasons why a step runs, most telling first; kept for the steps after it.
---@param run orrery.Run
---@param step orrery.Step
---@param job table from keys.job, with its key
---@return orrery.Reason[]
function why.of(run, step, job)
  local reasons = with_chains(run, step, reasons_of(run, step, job))
  run.why[step.id] = reasons
  return reasons
end

--- Reasons in one line, and where all of them are told.
---@param reasons orrery.Reason[]
---@param id string the step
---@return string
function why.line(reasons, id)
  if #reasons == 1 and not reasons[1].chain then return reasons[1].text end
  return differ.line(reasons, "orrery explain " .. id)
end

--- Reasons as the journal has them; nil when the line says all.
---@param reasons orrery.Reason[]
---@return orrery.Reason[]?
function why.listed(reasons)
  if #reasons == 1 and not reasons[1].name then return nil end
  local out = table.move(reasons, 1, math.min(#reasons, MOST), 1, {})
  if #reasons > MOST then
    out[MOST + 1] = { kind = "more", text = ("and %d more"):format(#reasons - MOST) }
  end
  return out
end

--- Where a record was made, when that is another checkout.
---@param run orrery.Run
---@param record table
---@return string?
function why.made(run, record)
  local made = record.made
  if not made or made.root == run.root then return nil end
  return ("made in %s"):format(made.root)
end

--- Notes that a restored step has another record than the last time.
---@param run orrery.Run
---@param step orrery.Step
---@param was string? full key
---@param now string
function why.moved(run, step, was, now)
  if was and was ~= now then run.moved[step.id] = { was, now } end
end

return why
