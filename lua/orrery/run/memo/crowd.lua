-- Several runs in one checkout: while a step looks at its inputs and works, no other run makes
-- them anew, and what it writes nobody reads.
--
-- That takes a lock for each thing a step reads, which a run that is alone need not pay for. It
-- owns the name ALONE while steps work. A second run finds that owned and waits a moment: the
-- first one looks, at each tick, whether somebody else is HERE; then it takes the locks its
-- working steps would have taken and lets go of ALONE. From there on each step of both takes
-- all its locks or none, so that no two wait for each other, and looks whether its inputs still
-- are what this run made.
local inputs = require("orrery.run.keys.inputs")
local lazy = require("orrery.kernel.lazy")
local locks = lazy("orrery.run.memo.locks")
local memo = lazy("orrery.run.memo")
local still = require("orrery.run.keys.still")
local temp = require("orrery.run.keys.temp")

local crowd = {}
local Crowd = {}
Crowd.__index = Crowd
local Stay = {}
Stay.__index = Stay

crowd.HERE, crowd.ALONE = "run here", "run alone"

-- So long a second run waits at most for the first one to notice.
local TICK = 0.02

-- Their inner steps look after themselves.
local OUTER = { workflow = true, body = true, service = true, approve = true }

--- What the runs of one process in a checkout hold together: a run and those nested in it.
---@param run orrery.Run
---@return orrery.Crowd
function crowd.new(run)
  return setmetatable({ file = run.locks, loop = run.loop, stays = {}, count = 0, writes = {},
    remaking = {}, inside = run.process_env.ORRERY_STEP ~= nil }, Crowd)
end

---------------------------------------------------------------------------
-- what a step reads and writes

local function unit_of(run, id)
  local node = run.scheduler and run.scheduler.nodes[id]
  return node and node.unit or run.workflow.by_id[id], node and node.members
end

local function fixed(path) return path:match("^[^%*%?%[{]*"):match("^(.*)/") or "" end

local function overlap(dir, path)
  return dir == "" or path == dir or path:sub(1, #dir + 1) == dir .. "/"
    or dir:sub(1, #path + 1) == path .. "/"
end

-- Steps upstream that may make files which a glob or a directory among the inputs takes in.
local function below(stay, dir, add)
  local run = stay.run
  for id in pairs(inputs.upstream(run, stay.step)) do
    local unit = unit_of(run, id)
    for _, o in ipairs(unit and unit.outputs or {}) do
      if overlap(dir, o.glob and fixed(o.path) or o.path) then add(id) end
    end
  end
end

-- The ids of the steps that make what a step reads, each once.
local function makers(stay)
  local run, step, out, seen = stay.run, stay.step, {}, { [stay.step.id] = true }
  local function add(id)
    if not id or seen[id] then return end
    seen[id] = true
    local unit, members = unit_of(run, id)
    for _, m in ipairs(members or {}) do add(m.id) end
    if unit and not unit.members and not members and not OUTER[unit.kind] then
      out[#out + 1] = id
    end
  end
  for _, id in ipairs(step.needs) do add(id) end
  for _, p in ipairs(stay.job and stay.job.files or {}) do add(inputs.owner(run, p)) end
  for _, spec in ipairs(step.inputs or {}) do
    if spec.glob or spec.dir then below(stay, spec.glob and fixed(spec.path) or spec.path, add) end
  end
  return out
end

local function written(self, run, id)
  local specs = self.writes[run.prefix .. id]
  if specs then return locks.name(specs) end
  local known = run.opts.partial
  local n = known and known.graph:number(id)
  if n then return known.graph:lock(n) end
  local unit = unit_of(run, id)
  return unit.outputs and #unit.outputs > 0 and locks.name(unit.outputs) or ""
end

local function read_name(name) return "read:" .. name end

---------------------------------------------------------------------------
-- locks of a step

-- Takes one more for a stay; false when somebody is in the way.
local function take(stay, how, name)
  local file = stay.crowd.file
  local l, err = file[how](file, name)
  if err then locks.unusable(err) end
  stay[#stay + 1] = l
  return l ~= nil
end

local function drop(stay, from)
  for i = #stay, from, -1 do
    stay[i]:close()
    stay[i] = nil
  end
end

-- The locks by which others know what a step reads and writes: all, or none.
local function take_reads(stay)
  local self, job, from = stay.crowd, stay.job, #stay + 1
  local own = job and #job.outputs > 0 and locks.name(job.outputs)
  local ok = self.inside or not own or take(stay, "try", read_name(own))
  for _, id in ipairs(ok and makers(stay) or {}) do
    local name = written(self, stay.run, id)
    ok = name == "" or name == own or take(stay, "share", read_name(name))
    if not ok then break end
  end
  if not ok then drop(stay, from) end
  return ok
end

local function take_all(stay)
  local job = stay.job
  local ok = #job.outputs == 0 or take(stay, "try", locks.name(job.outputs))
  if ok then
    ok = take_reads(stay)
    job.owned = ok
  end
  if not ok then drop(stay, 1) end
  return ok
end

-- The first step whose outputs are not what this run has of them.
local function lost(stay)
  local run = stay.run
  for _, id in ipairs(makers(stay)) do
    local r, paths = run.results[id], {}
    for _, path in ipairs(r and r.ok and r.outputs or {}) do
      if not temp.absent(run, path) then paths[#paths + 1] = path end
    end
    if #paths > 0 and #paths == #r.outputs and r.digest
      and not memo.stand(run, paths, r.digest) then return id end
  end
end

---------------------------------------------------------------------------
-- alone, or not

local tick

local function arm(self)
  local id = self.loop.core:timer(TICK)
  self.timer = id
  self.loop:on(id, function()
    self.loop:on(id, nil)
    self.timer = nil
    tick(self)
  end)
end

local function disarm(self)
  if not self.timer then return end
  self.loop:on(self.timer, nil)
  self.loop.core:forget(self.timer)
  self.timer = nil
end

-- Somebody came: what works here is locked as if that had been so from its beginning.
local function join(self)
  local marks = {}
  for stay in pairs(self.stays) do
    marks[stay] = #stay + 1
    if not take_reads(stay) then
      for other, from in pairs(marks) do drop(other, from) end
      return
    end
  end
  self.mode = "crowd"
  self.alone:close()
end

function tick(self)
  if self.mode ~= "alone" then return end
  if self.file:others(crowd.HERE) then join(self) end
  if self.mode == "alone" then arm(self) end
end

local function arrive(self)
  local file = self.file
  self.here = file:share(crowd.HERE)
  if not self.here then -- who writes outputs says why
    self.mode = "none"
    return
  end
  self.alone = file:try(crowd.ALONE)
  if self.alone and not file:others(crowd.HERE) then
    self.mode = "alone"
    arm(self)
    return
  end
  if self.alone then self.alone:close() end
  self.mode = "crowd"
end

--- Is nobody else here, and will nobody come while this is held? For who is no run.
---@param file core.LockFile
---@return core.Lock? alone
---@return core.Lock? here
function crowd.alone(file)
  local here = file:share(crowd.HERE)
  local alone = here and file:try(crowd.ALONE)
  if alone and not file:others(crowd.HERE) then return alone, here end
  if alone then alone:close() end
  if here then here:close() end
end

--- No step works any more: others may be alone.
function Crowd:leave()
  disarm(self)
  if self.here then self.here:close() end
  if self.alone then self.alone:close() end
  self.mode, self.here, self.alone = nil, nil, nil
end

--- The loop is about to wait.
function Crowd:idle()
  if self.mode and self.count == 0 then self:leave() end
end

--- A step begins to look at its inputs.
---@param run orrery.Run this one, or one nested in it
---@param step orrery.Step
---@return orrery.Stay hold it in a <close> variable
function Crowd:enter(run, step)
  local stay = setmetatable({ crowd = self, run = run, step = step }, Stay)
  if OUTER[step.kind] then return stay end
  if not self.mode then arrive(self) end
  self.stays[stay] = true
  self.count = self.count + 1
  return stay
end

--- May the files of a step be removed: does no other run read them?
---@param run orrery.Run
---@param id string
---@return core.Lock|boolean held meanwhile; false: somebody does
function Crowd:unread(run, id)
  if self.mode ~= "crowd" then return true end
  return self.file:try(read_name(written(self, run, id))) or false
end

---------------------------------------------------------------------------
-- the stay of a step

--- Says what the step reads and writes. Among others it waits here until it has its locks.
---@param job table from run.job
---@return boolean waited others may have changed what the job was made from
---@return string? lost the id of a step whose outputs have to be made again first
function Stay:claim(job)
  local all, step = self.crowd, self.step
  self.job = job
  if job.outputs ~= step.outputs and #job.outputs > 0 then
    all.writes[self.run.prefix .. step.id] = job.outputs
  end
  if all.mode ~= "crowd" or OUTER[step.kind] then return false end
  locks.await(self.run, function()
    return not all.file:others(crowd.ALONE) and take_all(self)
  end, step.id .. ": waits for another run here that reads or writes the same files")
  still.over(self.run)
  return true, lost(self)
end

--- Nobody else writes what the step writes, until its stay is over.
function Stay:own()
  local job = self.job
  if job.owned or #job.outputs == 0 then return end
  self[#self + 1] = locks.outputs(self.run, self.step, job.outputs)
  job.owned = true
end

function Stay:__close()
  local all = self.crowd
  drop(self, 1)
  if self.job then self.job.owned = nil end
  if all.stays[self] then
    all.stays[self] = nil
    all.count = all.count - 1
  end
end

return crowd
