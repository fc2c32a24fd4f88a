-- orrery cache doctor: why is so little remembered? Looks at the place, the file system, the
-- clock, the bounds, who else is there, the steps, and what the last runs said.
local cacheable = require("orrery.run.keys.cacheable")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local journal = require("orrery.run.records.journal")
local load = require("orrery.model.load")
local runs = require("orrery.run.records.runs")
local state = require("orrery.run.records.state")
local sorted = require("orrery.kernel.sorted")
local words = require("orrery.face.words")

local doctor = {}

local DAY = 86400
-- What the bounds are when orrery.lua says nothing.
local SIZE, AGE = 10 << 30, 30 * DAY
local RUNS = 10

local function why_there(here)
  local named = here.env.ORRERY_CACHE_DIR
  if named and named ~= "" then return "ORRERY_CACHE_DIR" end
  if here.config.cache.dir then return "cache.dir in orrery.lua" end
  if here.dir:sub(1, #here.root + 1) ~= here.root .. "/" then
    return "shared with the other worktrees of the repository"
  end
  return "of this checkout; its git worktrees share it"
end

local checks = {}

checks[#checks + 1] = function(here, say)
  say("ok", "place", ("%s (%s)"):format(here.dir, why_there(here)))
  local st = fs.stat(here.dir)
  if not st then return say("note", "place", "not there yet; the first run makes it") end
  if st.type ~= "dir" then
    return say("bad", "place", "is no directory: nothing is remembered; move it away")
  end
  if not here.store then
    return say("bad", "place", ("cannot be used: %s; every run goes on without it")
      :format(errors.text(here.why)))
  end
end

checks[#checks + 1] = function(here, say)
  for _, name in ipairs({ "", "/seg", "/cas", "/tmp" }) do
    local dir = here.dir .. name
    if fs.stat(dir) and not fs.access(dir, "write") then
      return say("bad", "permissions", ("%s cannot be written: what is there is used, nothing "
        .. "new is stored (chown or chmod it, or set ORRERY_CACHE_DIR)"):format(dir))
    end
  end
  if fs.stat(here.dir) then say("ok", "permissions", "may be written") end
end

local far = { nfs = true, cifs = true, smb = true, fuse = true, ["9p"] = true }

checks[#checks + 1] = function(here, say)
  local disk = fs.stat(here.dir) and fs.disk(here.dir)
  if not disk then return end
  say(far[disk.type] and "note" or "ok", "file system", ("%s, %s free; outputs are %s%s"):format(
    disk.type ~= "" and disk.type or "of an unusual kind", words.bytes(disk.free),
    disk.clones and "put back as reflinks" or "put back by copying (no reflinks there)",
    far[disk.type] and "; locks and speed depend on the server" or ""))
  local st, out = fs.stat(here.dir), fs.stat(here.root)
  if disk.clones and out and st.dev ~= out.dev then
    say("note", "file system", "the cache and the project are on different ones: no reflinks")
  end
  here.free = disk.free
end

checks[#checks + 1] = function(here, say)
  if not here.store then return end
  local s = here.store:stats()
  local size, age = here.config.cache.size or SIZE, here.config.cache.age or AGE
  here.records = s.records
  local text = ("%s of %s, %s; unused for %s goes"):format(words.bytes(s.bytes),
    words.bytes(size), words.count(s.records, "record"), words.seconds(age))
  if s.bytes > size * 0.85 then
    say("note", "bounds", text .. "; nearly full, so the least used results are lost: raise "
      .. "cache = { size = … } in orrery.lua")
  else
    say("ok", "bounds", text)
  end
  if here.free and here.free < size - s.bytes and here.free < size / 10 then
    say("note", "bounds", ("only %s are free on the disk, less than the bound lets it grow")
      :format(words.bytes(here.free)))
  end
end

checks[#checks + 1] = function(here, say)
  if not here.store then return end
  local newest = here.store:stats().newest or 0
  if newest > here.now + 60 then
    say("note", "clock", ("a record is of %s in the future: the clock was set back; ages count "
      .. "from there, results stay right"):format(words.seconds(newest - here.now)))
  else
    say("ok", "clock", "no record is of the future")
  end
end

-- Locks die with their process; only living ones are listed by the kernel.
local function holders(path)
  local st, n = fs.stat(path), 0
  if not st then return 0 end
  local f = io.open("/proc/locks", "rb")
  if not f then return nil end
  for line in f:lines() do
    if line:find((":%d "):format(st.ino), 1, true) then n = n + 1 end
  end
  f:close()
  return n
end

checks[#checks + 1] = function(here, say)
  local n = holders(here.dir .. "/lock")
  if not n then return say("note", "locks", "/proc/locks cannot be read") end
  say("ok", "locks", n == 0 and "none is held; they die with their process"
    or words.count(n, "key") .. " being computed by runs that are alive now")
end

-- Names of the repository's worktrees, from .git/worktrees.
checks[#checks + 1] = function(here, say)
  local home = here.dir:match("^(.*)/%.orrery/cache$")
  if not home then
    return say("ok", "sharing", "everybody who names this directory shares it")
  end
  local names = fs.list(home .. "/.git/worktrees") or {}
  if #names > 0 then
    say("ok", "sharing", ("with %s: %s"):format(words.count(#names, "worktree"),
      words.some(names)))
  end
end

-- Steps that are never remembered, by the reason.
local function never(here)
  local why, total = {}, 0
  for _, w in ipairs(load.list(here.root, here.config)) do
    for _, step in ipairs(w.workflow and w.workflow.steps or {}) do
      total = total + 1
      local pure, text = cacheable.pure({ workflow = w.workflow }, step)
      if not pure then
        why[text] = why[text] or {}
        table.insert(why[text], w.name .. "/" .. step.id)
      end
    end
  end
  return why, total
end

checks[#checks + 1] = function(here, say)
  local why, total = never(here)
  local n = 0
  for text, ids in sorted.pairs(why) do
    n = n + #ids
    say("note", "never", ("%s: %s"):format(text, words.some(ids)))
  end
  if total > 0 then
    say("ok", "steps", ("%d of %d may be remembered"):format(total - n, total))
  end
end

-- A reason without the names in it, so that equal ones can be counted.
local function class_of(reason)
  if reason:find("^always") then return "never remembered" end
  if reason:find("^first run") then return "first run here" end
  if reason:find("no longer in the cache", 1, true) then return "no longer in the cache" end
  if reason:find("^forced") then return "forced" end
  if reason:find("the cache is off", 1, true) then return "the cache is off" end
  return reason:gsub(";.*", "")
end

local function history(here)
  local counts, why = { ran = 0, cached = 0, off = 0 }, {}
  for i, id in ipairs(runs.ids(here.root)) do
    if i > RUNS then break end
    for _, ev in ipairs(journal.read(runs.dir(here.root) .. "/" .. id .. "/journal.jsonl") or {}) do
      if ev.ev == "step_started" and ev.reason then
        local class = class_of(ev.reason)
        why[class] = (why[class] or 0) + 1
      elseif ev.ev == "run_finished" and ev.counts then
        counts.ran, counts.cached = counts.ran + ev.counts.ran, counts.cached + ev.counts.cached
      elseif ev.ev == "cache_off" then
        counts.off, counts.why = counts.off + 1, ev.why
      end
    end
  end
  return counts, why
end

checks[#checks + 1] = function(here, say)
  local counts, why = history(here)
  local all = counts.ran + counts.cached
  if all == 0 then return say("ok", "hit rate", "nothing ran here yet") end
  say(counts.cached * 2 >= all and "ok" or "note", "hit rate",
    ("%d %% of %s in the last runs came from the cache"):format(
    counts.cached * 100 // all, words.count(all, "step")))
  local list = {}
  for text, n in sorted.pairs(why) do list[#list + 1] = { n = n, text = text } end
  table.sort(list, function(a, b) return a.n > b.n or a.n == b.n and a.text < b.text end)
  for i = 1, math.min(5, #list) do
    say("note", "reran", ("%d × %s"):format(list[i].n, list[i].text))
  end
  if counts.off > 0 then
    say("bad", "switched off", ("in %s: %s"):format(words.count(counts.off, "run"), counts.why))
  end
end

--- Looks at everything; nothing is changed, and no cache is made.
---@param here table { root, config, env, dir: of the cache, now: wall clock }
---@return { level: "ok"|"note"|"bad", what: string, text: string }[]
function doctor.look(here)
  local found = {}
  local function say(level, what, text)
    found[#found + 1] = { level = level, what = what, text = text }
  end
  local st = fs.stat(here.dir)
  if st and st.type == "dir" then here.store, here.why = state.store(here.dir, here.config) end
  for _, check in ipairs(checks) do check(here, say) end
  if here.store then here.store:close() end
  return found
end

return doctor
