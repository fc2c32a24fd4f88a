-- Which directories the system tells changes of, kept in step with what is wanted; and the
-- quiet that is waited for after a change.
local errors = require("orrery.kernel.errors")

local watcher = {}
local Watcher = {}
Watcher.__index = Watcher

-- Editors and checkouts touch many files: a change counts when nothing happened for so long.
local QUIET = 0.1

--- Tells on_change when changes have come to rest.
---@param loop orrery.Loop
---@param on_change fun()
---@return orrery.Watcher
function watcher.new(loop, on_change)
  return setmetatable({ loop = loop, on_change = on_change, dirs = {} }, Watcher)
end

local function stirred(self)
  local core = self.loop.core
  if self.timer then
    self.loop:on(self.timer, nil)
    core:forget(self.timer)
  end
  self.timer = core:timer(QUIET)
  self.loop:on(self.timer, function()
    self.loop:on(self.timer, nil)
    self.timer = nil
    self.on_change()
  end)
end

local function forget(self, dir)
  local d = self.dirs[dir]
  self.dirs[dir] = nil
  self.loop:on(d.id, nil)
  self.loop.core:forget(d.id)
end

local LIMITS = { ENOSPC = { "directories", "max_user_watches", 524288 },
  EMFILE = { "watchers", "max_user_instances", 1024 } }

local function refuse(dir, err)
  local limit = LIMITS[err.code]
  if not limit then errors.raise("watch", ("cannot watch %s: %s"):format(dir, errors.text(err))) end
  errors.raise("watch", ("cannot watch %s: the system's limit of watched %s is reached")
    :format(dir, limit[1]), { hint = ("raise it: sudo sysctl fs.inotify.%s=%d"):format(limit[2],
    limit[3]) })
end

--- Watches these directories and no others. A directory made anew is another one.
---@param wanted table<string, integer> path → inode
---@return boolean more were some watched from now on, which may have changed just before?
function Watcher:set(wanted)
  local more = false
  for dir, d in pairs(self.dirs) do
    if wanted[dir] ~= d.ino then forget(self, dir) end
  end
  for dir, ino in pairs(wanted) do
    if not self.dirs[dir] then
      local id, err = self.loop.core:watch(dir)
      if id then
        self.dirs[dir] = { id = id, ino = ino }
        self.loop:on(id, function() stirred(self) end)
        more = true
      elseif err.code ~= "ENOENT" then
        refuse(dir, err)
      end
    end
  end
  return more
end

--- Stops watching.
function Watcher:close() self:set({}) end

return watcher
